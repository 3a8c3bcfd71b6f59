"""Stores with pings that wait, as an offline box leaves them."""

from __future__ import annotations

from pathlib import Path

from jwpingd.ping import fold
from jwpingd.spool import Batch, Limits, Spool
from tests.spool_values import entry

PING_BYTES = 500
"""Of a target, as they are with everything in it."""

_AT_ONCE = 64


def waiting(directory: Path, n_pings: int, *, max_bytes: int = 1 << 30) -> None:
    """A store with that many pings of 500 bytes."""
    spool = Spool.open(directory, Limits(max_bytes=max_bytes), fold=fold)
    for first in range(1, n_pings + 1, _AT_ONCE):
        ids = range(first, min(first + _AT_ONCE, n_pings + 1))
        entries = tuple(entry(each, play=f"play{each // 40:08d}", n_bytes=PING_BYTES) for each in ids)
        spool.commit(Batch(spool.last_batch + 1, puts=entries))
    spool.close()


def fill(directory: Path, n_bytes: int) -> None:
    """A store that has as many as it may, and had to make room already."""
    waiting(directory, n_bytes // PING_BYTES, max_bytes=n_bytes)
