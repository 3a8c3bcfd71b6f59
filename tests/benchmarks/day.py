"""A day of viewing as the store sees it: two films, each ping stored with its play's checkpoint and
deleted a second later, a checkpoint every half minute in between."""

from __future__ import annotations

import os
from pathlib import Path

from jwpingd.ping import fold
from jwpingd.spool import Batch, Checkpoint, Limits, Spool
from tests.benchmarks.device import Device
from tests.benchmarks.stores import PING_BYTES
from tests.spool_values import entry

PLAY_S, REPORTS, CHECKPOINT_S = 2 * 3600, 32, 30
PLAYS_A_DAY = 2
_N_CHECKPOINTS = 200  # of which one is the middle


def measure(device: Device) -> tuple[float, float]:
    """kB of the day, and of one checkpoint."""
    spent_kb = device.kb_of(lambda: _view(device.directory / "day"))
    viewer = _Viewer(device.directory / "checkpoints")
    viewer.save("play00000000")

    def save() -> None:
        for _ in range(_N_CHECKPOINTS):
            viewer.save("play00000000")

    checkpoints_kb = device.kb_of(save)
    viewer.close()
    return spent_kb, checkpoints_kb / _N_CHECKPOINTS


def _view(directory: Path) -> None:
    viewer = _Viewer(directory)
    kinds = ["e", "s", *["t"] * REPORTS, "gab"]
    for play in [f"play{n:08d}" for n in range(PLAYS_A_DAY)]:
        for kind in kinds:
            viewer.report(play, kind)
            for _ in range(PLAY_S // CHECKPOINT_S // len(kinds)):
                viewer.save(play)
    viewer.close()


class _Viewer:
    """What the daemon writes for one; after each moment of work comes a rest."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "spool.db-wal"
        self._spool = Spool.open(directory, Limits(), fold=fold)
        self._n_pings = self._now_s = 0
        self.close = self._spool.close

    def report(self, play: str, kind: str) -> None:
        """A ping, and that the collector has it."""
        self._n_pings += 1
        put = entry(self._n_pings, play=play, kind=kind, n_bytes=PING_BYTES)
        ended, checkpoints = ((play,), ()) if kind == "gab" else ((), (self._checkpoint(play),))
        number = self._spool.last_batch + 1
        self._spool.commit(Batch(number, puts=(put,), ended=ended, checkpoints=checkpoints, tried_to=put.id))
        self._spool.commit(Batch(number + 1, delivered=(put.id,)))
        self._rest()

    def save(self, play: str) -> None:
        self._now_s += CHECKPOINT_S
        self._spool.commit(Batch(self._spool.last_batch + 1, checkpoints=(self._checkpoint(play),)))
        self._rest()

    def _checkpoint(self, play: str) -> Checkpoint:
        watched_s = self._now_s % (CHECKPOINT_S * 8)
        will = entry(0, play=play, kind="gab", watched_s=watched_s, n_bytes=PING_BYTES, boot_ms=self._now_s)
        return Checkpoint(play, will, "")

    def _rest(self) -> None:
        """ext4 writes within five seconds when the log was changed; here it is told to do so at once."""
        descriptor = os.open(self._log, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
