"""The last time that was known to be right, kept in the state directory.

A clock that says less cannot be right.  Losing the file costs only that knowledge, so no error is told.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_NAME = "last-trusted-ms"
_WORTH_WRITING_MS = 24 * 3600 * 1000  # flash is spared what a day's difference does not change
_MAX_BYTES = 32


def read(state_dir: Path) -> int:
    """Unix time in ms; 0 where none was kept."""
    try:
        with (state_dir / _NAME).open("rb") as file:
            return int(file.read(_MAX_BYTES))
    except (OSError, ValueError):
        return 0


def keep(state_dir: Path, wall_ms: int) -> None:
    """Keep `wall_ms` if it differs from what is kept by more than a day."""
    if abs(wall_ms - read(state_dir)) < _WORTH_WRITING_MS:
        return
    successor = state_dir / f"{_NAME}.new"
    with contextlib.suppress(OSError):
        with successor.open("w", encoding="ascii") as file:
            file.write(f"{wall_ms}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(successor, state_dir / _NAME)
