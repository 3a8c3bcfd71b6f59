"""Ctrl-C, from the first line of the program to its last: never a trace.  No import of ours."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` makes Enums first: a twentieth of the way to the socket.
import os
from collections.abc import Iterator
from contextlib import contextmanager

STATUS = 130
"""The exit status of a program that SIGINT ended: 128 + 2, as a shell counts."""


def end_quietly() -> None:
    """From now on SIGINT ends the process at once and without a word.

    Not where nobody waits to be interrupted: a shell has a job in the background ignore it.
    """
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _end)


@contextmanager
def heard() -> Iterator[None]:
    """Within, SIGINT is a KeyboardInterrupt again, so that a command can clean up."""
    if _signal.getsignal(_signal.SIGINT) is not _end:
        yield
        return
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    try:
        yield
    finally:
        end_quietly()


def _end(_number: int, _frame: object) -> None:
    # Not SystemExit: whatever is being imported could swallow it, or print it.
    os._exit(STATUS)
