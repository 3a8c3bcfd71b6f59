"""The `hello`: who is speaking, who is logged in, and how much of it may be told.

No value of a hello gets into a message: a token in the wrong place is still a token.  What a hash, a
token or an advertising id must look like is `identity`'s to judge; here each is a text.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from jwpingd.errors import BadEvent
from jwpingd.events import AdvertisingClaim, Consent, Hello, UserClaim
from jwpingd.wire.values import is_jw_id, part, whole

_USER_KEYS = ("id", "hash", "token")
_UNLIMITED = (False, 0, "0", "false")
"""How platforms say that tracking is not limited: Firebolt "0", Android 0, web views false."""

_MISSING = ("", "null", "undefined", "None")
"""How languages write a value that is not there as a text; no ping says such a word (ping interface §3)."""

_LIMIT_KEYS = ("limit", "lmt", "adOptOut")
_ID_KEYS = ("id", "ifaValue", "ifa")
"""Ours, then those of Firebolt's `Advertising.advertisingId` and `Advertising.config`."""


def hello(values: dict[str, Any]) -> Hello:
    """The hello.  Raises BadEvent.  A later protocol version is welcome: its news are unknown keys."""
    protocol = values.get("protocol")
    if protocol is not None and type(protocol) is not int:
        raise BadEvent("protocol must be an integer")
    app = part(values.get("app"), "app")
    user = _user(values.get("user"))
    return Hello(
        app_id=_text(app.get("id"), "app.id"),
        app_version=_text(app.get("version"), "app.version"),
        config_id=_config_id(app),
        player_version=_player_version(values.get("player")),
        user=user,
        is_logged_out="user" in values and user is None,
        advertising=_advertising(values["advertising"]) if "advertising" in values else None,
        consent=_consent(values.get("consent")),
    )


def _config_id(app: dict[str, Any]) -> str | None:
    """JW's id of the app's configuration.  One of another form counts as missing, as a feed id does."""
    config_id = _text(app.get("configid"), "app.configid")
    return config_id if is_jw_id(config_id) else None


def _player_version(player: object) -> str | None:
    """Here `player` is an object; the text that other events carry has no meaning here but does no harm."""
    if type(player) is str:
        return None
    return _text(part(player, "player").get("version"), "player.version")


def _consent(value: object) -> Consent | None:
    if value is None:
        return None
    for consent in Consent:
        if value == consent.value:
            return consent
    allowed = ", ".join(consent.value for consent in Consent)
    raise BadEvent(f"consent must be one of {allowed}")


def _user(value: object) -> UserClaim | None:
    """Who is logged in; None for nobody: null, or an object whose id, hash or token is null or empty."""
    user = part(value, "user")
    given = {key: user[key] for key in _USER_KEYS if user.get(key) not in (None, "")}
    if len(given) > 1:
        raise BadEvent("user must have only one of id, hash and token")
    if not given:
        if user and not any(key in user for key in _USER_KEYS):
            raise BadEvent("user must have one of id, hash and token")
        return None
    return UserClaim(
        user_id=_user_id(given.get("id")),
        user_hash=_secret_text(given.get("hash"), "user.hash must be a text"),
        token=_secret_text(given.get("token"), "user.token must be a text"),
    )


def _user_id(value: object) -> str | None:
    if type(value) is int:
        return str(value)
    return _secret_text(value, "user.id must be a text or an integer")


def _advertising(value: object) -> AdvertisingClaim:
    """The claim; null withdraws it.  Firebolt's answers are taken as they are.

    Tracking counts as limited unless every sign given says that it is not (docs/platform-sources.md §7).
    """
    claim = part(value, "advertising")
    packed = _packed(claim.get("ifa"))
    if packed:
        claim = {**claim, "ifa": packed.get("value", packed.get("ifa"))}
    advertising_id = next((claim[key] for key in _ID_KEYS if claim.get(key) is not None), None)
    signs = [said[key] for said in (claim, packed) for key in _LIMIT_KEYS if key in said]
    return AdvertisingClaim(
        advertising_id=_secret_text(advertising_id, "advertising.id must be a text") or None,
        is_limited=not signs or any(sign not in _UNLIMITED for sign in signs),
    )


def _packed(ifa: object) -> dict[str, Any]:
    """What Firebolt's `Advertising.config` has as `ifa`: base64 of an object; {} for anything else."""
    if type(ifa) is not str:
        return {}
    try:
        unpacked = json.loads(base64.b64decode(ifa, validate=True))
    except (ValueError, RecursionError):
        return {}
    return unpacked if isinstance(unpacked, dict) else {}


def _text(value: object, key: str) -> str | None:
    """A text, None if absent or empty, or if it is what became of a missing value on its way here."""
    given = whole(_secret_text(value, f"{key} must be a text") or "")
    return None if given in _MISSING else given


def _secret_text(value: object, problem: str) -> str | None:
    if value is None or type(value) is str:
        return value
    raise BadEvent(problem)
