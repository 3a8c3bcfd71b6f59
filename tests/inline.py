"""Pieces for tests on the mock clock: commits inline, a clock of virtual time, a spool that can refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio
from trio.testing import MockClock

from jwpingd import ping
from jwpingd.config import Config
from jwpingd.daemon.box_device import BoxDevice
from jwpingd.errors import StoreError
from jwpingd.moment import Moment
from jwpingd.spool import Batch, Entry, Limits, Spool
from jwpingd.writer import StoreStatus, Writer

T = TypeVar("T")

START_MS = 1_000_000
WALL_MS = 1_795_000_000_000


async def run_inline(work: Callable[[], T], /) -> T:
    """Work on the event loop itself: the mock clock would take a thread for idleness."""
    await trio.lowlevel.checkpoint()
    return work()


class VirtualClock:
    """Boottime follows trio's clock; the wall clock is known or not, as the test says."""

    def __init__(self, *, knows_wall: bool = True) -> None:
        self.knows_wall = knows_wall
        self._origin_s = trio.current_time()

    def now(self) -> Moment:
        elapsed_ms = round((trio.current_time() - self._origin_s) * 1000)
        return Moment("boot", START_MS + elapsed_ms, WALL_MS + elapsed_ms if self.knows_wall else None)

    async def sleep_until_boot_ms(self, boot_ms: int) -> None:
        await trio.sleep(max(0, boot_ms - self.now().boot_ms) / 1000)


class MoodySpool(Spool):
    """A real spool whose commits can be made to fail, before anything or after the commit."""

    refuses = False
    loses_answer = False

    def commit(self, batch: Batch) -> None:
        if self.refuses:
            raise StoreError("flash refuses")
        super().commit(batch)
        if self.loses_answer:
            self.loses_answer = False
            raise StoreError("flash took it and did not say so")


def moody_spool(directory: Path) -> MoodySpool:
    """A spool of the least size in `directory`."""
    return MoodySpool(directory, Limits(1 << 20), fold=ping.fold)


def writer_on(
    spool: Spool,
    memory_max: int = 10,
    on_change: Callable[[StoreStatus], None] = lambda _status: None,
    on_repair: Callable[[str], None] = lambda _what: None,
    on_commit: Callable[[], None] = lambda: None,
) -> Writer:
    """A writer that commits inline."""
    return Writer(
        lambda: spool,
        run_inline,
        fold=ping.fold,
        memory_max=memory_max,
        max_batch_bytes=spool.limits.max_batch_bytes,
        on_change=on_change,
        on_repair=on_repair,
        on_commit=on_commit,
    )


def entry(
    kind: str = "t", play: str = "play00000001", watched_s: int = 20, sa_ms: int | None = WALL_MS
) -> Entry:
    """An entry as the server makes them; its id is the writer's to give."""
    target = f"/v1/jwplayer6/ping.gif?e={kind}&pli={play}&pw=4&ti={watched_s}"
    return Entry(0, play, kind, watched_s, target, "boot", START_MS, sa_ms)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """`main` in virtual time that passes as soon as nobody has anything to do."""
    trio.run(main, clock=MockClock(autojump_threshold=0))


class PlainDevice(BoxDevice):
    """A box of which nothing is known but that it is one for tests."""

    def __init__(self) -> None:
        super().__init__(Config("a17e8PTFFffxLgpVuA4vVw"), Path("/nowhere"))
        self.is_seen = True
