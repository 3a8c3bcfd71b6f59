"""Why a request has no answer.  A value, so that nobody needs httpx to read it."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class FailureKind(Enum):
    """What the failure says, and about whom."""

    UNREACHABLE = "unreachable"  # no connection: nothing about the ping
    NOT_TAKEN = "not taken"  # connected, but no answer: perhaps it is the ping
    UNSENDABLE = "unsendable"  # the ping can never be sent


class Failure(NamedTuple):
    """`reason` is short and for counting; `text` is one line for people, without secrets.

    `is_out_of_time`: a certificate error that a wrong clock would make (expired, or not yet valid).
    """

    kind: FailureKind
    reason: str
    text: str
    is_certificate_error: bool = False
    is_out_of_time: bool = False


def system_words(exc: BaseException) -> str:
    """What the system said at the bottom of an exception, such as "Connection refused"; "" if nothing."""
    said = (_words(cause) for cause in _causes(exc) if isinstance(cause, OSError))
    return ", ".join(dict.fromkeys(filter(None, said)))


def _words(error: OSError) -> str | None:
    # Numbers of TLS and of names are not the kernel's; trio puts the address before the kernel's words.
    if not error.errno or isinstance(error, (ssl.SSLError, socket.gaierror)):
        return error.strerror
    return os.strerror(error.errno)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        if isinstance(exc, BaseExceptionGroup):  # one for each address that was tried
            for part in exc.exceptions:
                yield from _causes(part)
        exc = exc.__cause__ or exc.__context__
