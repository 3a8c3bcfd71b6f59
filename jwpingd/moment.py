"""A moment on this box: exact on the suspend-proof clock, and in wall time where that is known.

Durations are always differences of `boot_ms`.  Only `sa`, the time a ping reports, is wall time,
and a box without a battery clock may not know it yet when the moment passes.
"""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """`boot_ms` is CLOCK_BOOTTIME of the boot `boot_id`; `wall_ms` is Unix time, None while unknown."""

    boot_id: str
    boot_ms: int
    wall_ms: int | None

    def at(self, boot_ms: int) -> Moment:
        """The moment of the same boot at `boot_ms`, by the same relation to the wall clock."""
        if boot_ms == self.boot_ms:
            return self
        wall_ms = None if self.wall_ms is None else self.wall_ms + boot_ms - self.boot_ms
        return Moment(self.boot_id, boot_ms, wall_ms)
