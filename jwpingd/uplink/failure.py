"""Why a request has no answer.  A value, so that nobody needs httpx to read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FailureKind(Enum):
    """What the failure says, and about whom."""

    UNREACHABLE = "unreachable"  # no connection: nothing about the ping
    NOT_TAKEN = "not taken"  # connected, but no answer: perhaps it is the ping
    UNSENDABLE = "unsendable"  # the ping can never be sent


@dataclass(frozen=True, slots=True)
class Failure:
    """`reason` is short and for counting; `text` is one line for people, without secrets.

    `is_out_of_time`: a certificate error that a wrong clock would make (expired, or not yet valid).
    """

    kind: FailureKind
    reason: str
    text: str
    is_certificate_error: bool = False
    is_out_of_time: bool = False
