"""Who is watching, as far as pings may tell: user hash, install id, advertising id.

Ids and tokens that come in here are secrets.  No message of this module contains one.
Source: the ping interface, §6.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import string
from pathlib import Path

from jwpingd.errors import BadEvent
from jwpingd.events import AdvertisingClaim, UserClaim

MAX_TOKEN_BYTES = 8192
"""Access tokens of real services stay below 8 KiB, the usual limit of an HTTP header."""

INSTALL_ID_NAME = "install-id"
"""Name of the small file in the state directory: `<id> <fingerprint of the machine-id>`."""

_HASH = re.compile(r"[0-9a-f]{40}")
_INSTALL_ID = re.compile(r"[0-9a-z]{8}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NO_ID = re.compile(r"[0-]+")
_ALPHABET = string.digits + string.ascii_lowercase
_MAX_FILE_BYTES = 256  # the file has 8 + 1 + 64 + 1 bytes


# --- the user -------------------------------------------------------------------------------


def user_hash(claim: UserClaim, token_claim: str) -> str:
    """SHA-1 of the user's login id, 40 lower-case hex digits.

    `token_claim` names the claim of a token that holds the id.  The signature of the token is not
    checked: it identifies, it does not authorise.  Raises BadEvent.
    """
    if claim.user_hash is not None:
        lowered = claim.user_hash.lower()
        if not _HASH.fullmatch(lowered):
            raise BadEvent("user.hash is not 40 hex digits")
        return lowered
    if claim.user_id is not None:
        return _sha1(claim.user_id, "user.id")
    return _sha1(_id_of_token(claim.token or "", token_claim), "user.token")


def _sha1(user_id: str, key: str) -> str:
    if not user_id:
        raise BadEvent(f"{key} holds an empty id")
    try:
        encoded = user_id.encode()
    except UnicodeEncodeError:
        # The cause is dropped, for it carries the id.
        raise BadEvent(f"{key} holds an id that is not Unicode text") from None
    return hashlib.sha1(encoded, usedforsecurity=False).hexdigest()


def _id_of_token(token: str, token_claim: str) -> str:
    payload = _payload(token)
    value = payload.get(token_claim)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BadEvent(f"user.token has no text or integer {token_claim!r}")
    return value


def _payload(token: str) -> dict[str, object]:
    """The claims of a JWT (RFC 7519): the middle of three parts, base64url without padding, JSON."""
    if len(token) > MAX_TOKEN_BYTES:
        raise BadEvent(f"user.token is longer than {MAX_TOKEN_BYTES} bytes")
    parts = token.split(".")
    if len(parts) != 3:
        raise BadEvent("user.token is not a JWT of three parts")
    try:
        raw = base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadEvent("the payload of user.token is not base64url of JSON") from None
    if not isinstance(payload, dict):
        raise BadEvent("the payload of user.token is not a JSON object")
    return payload


# --- the installation -----------------------------------------------------------------------


def install_id(state_dir: Path, *, is_made: bool, machine_id: str | None) -> str | None:
    """The stable id of this installation, 8 of [0-9a-z]; None if there is none and none can be kept.

    Made and stored if `is_made`, else only read.  An id that was stored on another machine is not
    taken: images that were copied after a first start must not share one.  Never raises OSError.
    """
    path = state_dir / INSTALL_ID_NAME
    fingerprint = _fingerprint(machine_id)
    stored = _stored_install_id(path, fingerprint)
    if stored is not None or not is_made:
        return stored
    made = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    try:
        _write_durably(path, f"{made} {fingerprint}\n")
    except OSError:
        # An id that is another after every start would be worse than none.
        return None
    return made


def _stored_install_id(path: Path, fingerprint: str) -> str | None:
    try:
        with path.open("rb") as file:
            words = file.read(_MAX_FILE_BYTES).decode("ascii").split()
    except (OSError, ValueError):
        return None
    if len(words) != 2 or words[1] != fingerprint or not _INSTALL_ID.fullmatch(words[0]):
        return None
    return words[0]


def _fingerprint(machine_id: str | None) -> str:
    """A hash of the machine-id, which is confidential itself (machine-id(5)); "-" if there is none."""
    known = (machine_id or "").strip()
    if not known or known == "uninitialized":
        return "-"
    return hashlib.sha256(b"jwpingd install id " + known.encode("utf-8", "replace")).hexdigest()


def _write_durably(path: Path, text: str) -> None:
    """Replace the file as a whole: after a power cut it is the old one or the new one."""
    unfinished = path.with_name(f"{path.name}.new")
    with unfinished.open("w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


# --- advertising ----------------------------------------------------------------------------


def advertising_id(setting: str, claim: AdvertisingClaim | None, generated: str | None) -> str | None:
    """The advertising id that pings may carry, as it was given; None where there is none to be told.

    `setting` is "off" (only what the player supplies), "generate" (`generated` besides) or an id.
    The player's own comes first; a player that says tracking is limited silences all of them.
    """
    if claim is not None and claim.is_limited:
        return None
    supplied = _valid_advertising_id(claim.advertising_id if claim else None)
    if supplied is not None or setting == "off":
        return supplied
    return _valid_advertising_id(generated if setting == "generate" else setting)


def _valid_advertising_id(text: str | None) -> str | None:
    # All zeros is how platforms say that the user opted out.
    if text is None or not _UUID.fullmatch(text) or _NO_ID.fullmatch(text):
        return None
    return text
