"""What was known to be right, kept in the state directory.

A clock that says less than the last trusted time cannot be right, and what was proven in this boot
holds after a restart of the daemon too.  Losing the file costs only that knowledge, so no error is told.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

_NAME = "last-trusted-ms"
_WORTH_WRITING_MS = 24 * 3600 * 1000  # flash is spared what a day's difference does not change
_SAME_OFFSET_MS = 500  # nor does this: a tenth of it is already more than reading the clocks can differ by
MAX_BYTES = 256  # a time, a boot id and an offset have some 70


class TrustedTime(NamedTuple):
    """`wall_ms` is Unix time, 0 where none was kept.

    `proven_offset_ms` is Unix time minus boottime as proven in the boot `boot_id`, None if it was not.
    """

    wall_ms: int = 0
    boot_id: str = ""
    proven_offset_ms: int | None = None

    def proven_in(self, boot_id: str) -> int | None:
        """The proven offset, if it is one of that boot."""
        return self.proven_offset_ms if boot_id == self.boot_id else None


def read(state_dir: Path) -> TrustedTime:
    """What was kept; nothing at all where it cannot be read or understood."""
    try:
        with (state_dir / _NAME).open("rb") as file:
            wall, *proof = file.read(MAX_BYTES).decode("ascii").split()
        if len(proof) == 2:
            return TrustedTime(int(wall), proof[0], int(proof[1]))
        return TrustedTime(int(wall))
    except (OSError, ValueError):
        return TrustedTime()


def keep(state_dir: Path, time: TrustedTime) -> None:
    """Keep it if it differs from what is kept by more than a day, or in what was proven."""
    if not time.wall_ms or _is_same(time, read(state_dir)):
        return
    line = str(time.wall_ms)
    if time.proven_offset_ms is not None:
        line += f" {time.boot_id} {time.proven_offset_ms}"
    successor = state_dir / f"{_NAME}.new"
    with contextlib.suppress(OSError):
        with successor.open("w", encoding="ascii") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(successor, state_dir / _NAME)


def _is_same(time: TrustedTime, kept: TrustedTime) -> bool:
    if abs(time.wall_ms - kept.wall_ms) >= _WORTH_WRITING_MS:
        return False
    if time.proven_offset_ms is None:
        return True
    kept_ms = kept.proven_in(time.boot_id)
    return kept_ms is not None and abs(time.proven_offset_ms - kept_ms) <= _SAME_OFFSET_MS
