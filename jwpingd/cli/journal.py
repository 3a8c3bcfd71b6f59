"""Log lines on standard error: with priorities for the journal, in plain words for people."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TextIO

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""Those of syslog(3)."""


def log_to(stream: TextIO = sys.stderr) -> None:
    """Everything that jwpingd logs goes to `stream`, from info on; what it does not take is lost."""
    logging.raiseExceptions = False  # A log on a full disk would get stack traces once there is room.
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_ForJournal() if is_journal(stream) else _ForPeople())
    logging.getLogger("jwpingd").addHandler(handler)
    logging.getLogger("jwpingd").setLevel(logging.INFO)


def is_journal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the journal reads `stream`.

    $JOURNAL_STREAM says which file that is, as device:inode (systemd.exec(5)).  That it is set is not
    enough: a shell or a test below a service has it too, with a standard error of its own.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class _ForJournal(logging.Formatter):
    """With the priority in front of each line, as sd-daemon(3) reads it; the journal knows time and name."""

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return priority + record.getMessage().replace("\n", f"\n{priority}")


class _ForPeople(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"jwpingd: {record.levelname.lower()}: {record.getMessage()}"
