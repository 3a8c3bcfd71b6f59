"""The consent of the box: what an operator has chosen for everybody on it, in a small file.

The law: a choice that cannot be read counts as the strictest one.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from jwpingd.events import Consent
from jwpingd.identity.files import read_words, replace_durably

FILE_NAME = "consent"


class BoxConsent(NamedTuple):
    """`level` is the most that any player may ask for.  `fault` says why the choice cannot be read, or "".

    `is_chosen` is False where nobody ever chose: `level` is then full.
    """

    level: Consent
    is_chosen: bool = True
    fault: str = ""


def read_consent(state_dir: Path) -> BoxConsent:
    """What was chosen.  Never raises: a choice that cannot be read counts as none."""
    path = state_dir / FILE_NAME
    try:
        words = read_words(path)
    except FileNotFoundError:
        if path.is_symlink():
            return BoxConsent(Consent.NONE, fault=f"{path} is a link that leads nowhere")
        return BoxConsent(Consent.FULL, is_chosen=False)
    except OSError as exc:
        return BoxConsent(Consent.NONE, fault=f"{path} cannot be read ({exc.strerror})")
    except ValueError:
        words = []
    for level in Consent:
        if words == [level.value]:
            return BoxConsent(level)
    allowed = ", ".join(level.value for level in Consent)
    return BoxConsent(Consent.NONE, fault=f"{path} holds none of {allowed}")


def store_consent(state_dir: Path, level: Consent) -> None:
    """Keep the choice, safe from power cuts when this returns.  Raises OSError."""
    replace_durably(state_dir / FILE_NAME, f"{level.value}\n")
