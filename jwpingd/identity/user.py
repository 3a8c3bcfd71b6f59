"""What a player says of its user → the hash that pings carry."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from jwpingd.errors import BadEvent
from jwpingd.events import UserClaim

MAX_TOKEN_BYTES = 8192
"""Access tokens of real services stay below 8 KiB, the usual limit of an HTTP header."""

_HASH = r"[0-9a-f]{40}"


def user_hash(claim: UserClaim, token_claim: str) -> str:
    """SHA-1 of the user's login id, 40 lower-case hex digits.

    `token_claim` names the claim of a token that holds the id.  The signature of the token is not
    checked: it identifies, it does not authorise.  Raises BadEvent.
    """
    if claim.user_hash is not None:
        lowered = claim.user_hash.lower()
        if not re.fullmatch(_HASH, lowered):
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
