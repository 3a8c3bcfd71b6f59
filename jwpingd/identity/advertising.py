"""Which advertising id a ping may carry.

No platform offers a plain daemon its own: an id comes from the player, the configuration, or chance.
"""

from __future__ import annotations

import re

from jwpingd.events import AdvertisingClaim

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ZEROS = r"[0-]+"


def advertising_id(setting: str, claim: AdvertisingClaim | None, generated: str | None) -> str | None:
    """The advertising id that pings may carry, as it was given; None where there is none to be told.

    `setting` is "off" (only what the player supplies), "generate" (`generated` besides) or an id.
    The player's own comes first.  A player that says tracking is limited silences all of them, and so
    does an id of zeros: that is how platforms say that the user opted out.
    """
    claimed = claim.advertising_id if claim else None
    if claim is not None and (claim.is_limited or re.fullmatch(_ZEROS, claimed or "")):
        return None
    supplied = _valid_advertising_id(claimed)
    if supplied is not None or setting == "off":
        return supplied
    return _valid_advertising_id(generated if setting == "generate" else setting)


def _valid_advertising_id(text: str | None) -> str | None:
    if text is None or not re.fullmatch(_UUID, text, re.IGNORECASE) or re.fullmatch(_ZEROS, text):
        return None
    return text
