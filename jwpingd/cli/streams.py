"""The standard streams as every command may rely on them, however we were started."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def prepare() -> None:
    """Open those that were closed, on nothing, and let standard output take any text.

    Descriptors below 3 must be taken: what were opened there next, a store say, would be written to by
    whoever writes to standard error.
    """
    for name, mode in _STREAMS:
        if getattr(sys, name) is None:
            # The lowest free descriptor is the one that was closed, as they are gone through in order.
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it stays open until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A locale that cannot write a character must not end a command.
        sys.stdout.reconfigure(errors="backslashreplace")


def give_up_output() -> None:
    """Say nothing more on standard output, now or when the interpreter flushes."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it stays open until the process ends


def tell(text: str) -> None:
    """A line on standard error; what that does not take changes no exit status."""
    with suppress(OSError):
        print(text, file=sys.stderr)


def forget_unwritten() -> None:
    """Drop what standard error has not taken: the interpreter would try again, and exit with 120."""
    try:
        sys.stderr.flush()
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - it stays open until the process ends
