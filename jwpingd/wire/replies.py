"""Answers to the player, one line of ASCII JSON each, newline included."""

from __future__ import annotations

import json
from typing import Any

from jwpingd.wire.lines import Rejected


def ack(ack_id: str | int) -> bytes:
    """Everything up to the event with this id is on flash."""
    return _line({"ack": ack_id})


def error_reply(rejected: Rejected) -> bytes:
    """Why a line was not taken."""
    reply: dict[str, Any] = {
        "error": rejected.error.code,
        "message": str(rejected.error),
        "line": rejected.line,
    }
    if rejected.ack_id is not None:
        reply["id"] = rejected.ack_id
    return _line(reply)


def _line(reply: dict[str, Any]) -> bytes:
    # ASCII, because an id may hold half a surrogate pair, which only an escape can carry.
    return json.dumps(reply, separators=(",", ":")).encode("ascii") + b"\n"
