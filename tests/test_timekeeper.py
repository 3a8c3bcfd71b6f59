"""Pings and their time: held while the clock is not trusted, timed when it is, guessed at last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from jwpingd.clock import BUILD_MS, Clock
from jwpingd.daemon import trusted_time
from jwpingd.daemon.timekeeper import Timekeeper
from jwpingd.spool import Entry
from jwpingd.writer import Writer
from tests.inline import entry, moody_spool, run, writer_on

NOW_MS = BUILD_MS + 10_000_000_000


class Readers:
    """A box whose clocks follow trio's; the wall clock is set and vouched for at will."""

    def __init__(self, wall_ms: int) -> None:
        self._wall_at_boot_ms = wall_ms
        self.is_vouched_for = False
        self._origin_s = trio.current_time()
        self._stepped = trio.Event()

    def boottime_ms(self) -> int:
        return 1_000_000 + round((trio.current_time() - self._origin_s) * 1000)

    def wall_ms(self) -> int:
        return self._wall_at_boot_ms + self.boottime_ms()

    def boot_id(self) -> str:
        return "boot"

    def is_timesync_flag_set(self) -> bool:
        return self.is_vouched_for

    def is_kernel_synchronised(self) -> bool | None:
        return None

    def set_wall(self, wall_ms: int, *, is_vouched_for: bool) -> None:
        """As a time service does: a step, and perhaps its flag."""
        self._wall_at_boot_ms = wall_ms - self.boottime_ms()
        self.is_vouched_for = is_vouched_for
        self._stepped.set()
        self._stepped = trio.Event()

    async def wait_for_step(self, has_stepped: Callable[[], bool]) -> None:
        await self._stepped.wait()

    async def sleep_until_boot_ms(self, boot_ms: int) -> None:
        await trio.sleep(max(0, boot_ms - self.boottime_ms()) / 1000)


class Box:
    """A timekeeper with its clock and writer."""

    def __init__(self, directory: Path, wall_ms: int, date_s: float | None = None) -> None:
        self.readers = Readers(wall_ms)
        self.clock = Clock(self.readers, last_trusted_ms=trusted_time.read(directory))
        self.writer: Writer = writer_on(moody_spool(directory))
        self.n_asked = 0
        self._date_s = date_s
        self.timekeeper = Timekeeper(
            self.clock,
            self.writer,
            hold_max_s=600,
            ask_collector=self._ask,
            remember=lambda wall_ms: trusted_time.keep(directory, wall_ms),
        )

    async def _ask(self) -> float | None:
        self.n_asked += 1
        return None if self._date_s is None else self._date_s + trio.current_time()

    def event(self) -> int:
        """Something happens now; its boottime."""
        moment = self.clock.now()
        made = entry("e", sa_ms=moment.wall_ms)
        made = Entry(0, made.play, made.kind, 0, made.target, moment.boot_id, moment.boot_ms, moment.wall_ms)
        self.writer.submit([made])
        return moment.boot_ms


@asynccontextmanager
async def living(box: Box) -> AsyncIterator[Box]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.writer.run)
        nursery.start_soon(box.timekeeper.run)
        await trio.sleep(1)
        yield box
        nursery.cancel_scope.cancel()
    await box.writer.close()


def test_a_ping_of_1970_gets_its_time_when_the_clock_is_set(tmp_path: Path) -> None:
    """An event before the clock was set carries the right time, worked out backwards from the step."""

    async def main() -> None:
        async with living(Box(tmp_path, wall_ms=0)) as box:
            happened_ms = box.event()
            await trio.sleep(3600)
            assert await box.writer.claim(10) == []
            box.readers.set_wall(NOW_MS, is_vouched_for=True)
            step_ms = box.readers.boottime_ms()
            await trio.sleep(2)
            (claimed,) = await box.writer.claim(10)
            assert claimed.sa_ms is not None
            assert abs(claimed.sa_ms - (NOW_MS - (step_ms - happened_ms))) <= 1
            assert not claimed.is_guessed

    run(main)


def test_a_plausible_clock_is_believed_at_last(tmp_path: Path) -> None:
    """Without proof pings are held for hold_max_s, then go by the box's clock; later ones at once."""

    async def main() -> None:
        async with living(Box(tmp_path, wall_ms=NOW_MS)) as box:
            box.event()
            await trio.sleep(590)
            assert await box.writer.claim(10) == []
            await trio.sleep(20)
            (claimed,) = await box.writer.claim(10)
            assert claimed.is_guessed
            assert box.writer.account().clock_guessed == 1
            box.event()
            await trio.sleep(2)
            assert len(await box.writer.claim(10)) == 1
            assert box.writer.account().clock_guessed == 2

    run(main)


def test_an_implausible_clock_is_never_believed(tmp_path: Path) -> None:
    """A clock earlier than the program gets no ping out, however long it takes."""

    async def main() -> None:
        async with living(Box(tmp_path, wall_ms=0)) as box:
            box.event()
            await trio.sleep(7 * 24 * 3600)
            assert await box.writer.claim(10) == []

    run(main)


@pytest.mark.parametrize(("skew_s", "is_believed"), [(0, True), (299, True), (-299, True), (400, False)])
def test_the_collectors_date_vouches_for_the_clock(tmp_path: Path, skew_s: int, is_believed: bool) -> None:
    """A Date of a verified answer within 5 min of the box's clock is proof, and acted on at once."""

    async def main() -> None:
        date_s = (NOW_MS + 1_000_000) / 1000 + skew_s - trio.current_time()
        async with living(Box(tmp_path, wall_ms=NOW_MS, date_s=date_s)) as box:
            box.event()
            await trio.sleep(5)
            assert len(await box.writer.claim(10)) == int(is_believed)
            assert box.n_asked == (1 if is_believed else 2)

    run(main)


def test_nobody_asks_while_nothing_is_held(tmp_path: Path) -> None:
    """The collector is asked once at the start, for what an earlier run may have left, and not again."""

    async def main() -> None:
        async with living(Box(tmp_path, wall_ms=NOW_MS)) as box:
            await box.writer.give_times("boot", 0, is_guess=True)
            asked = box.n_asked
            await trio.sleep(500)
            assert box.n_asked == asked

    run(main)


def test_the_last_trusted_time_is_kept(tmp_path: Path) -> None:
    """A clock that falls behind a time that was once right is implausible after a restart."""

    async def main() -> None:
        box = Box(tmp_path, wall_ms=NOW_MS)
        box.readers.is_vouched_for = True
        async with living(box):
            await trio.sleep(70)
        again = Box(tmp_path, wall_ms=NOW_MS - 10 * 24 * 3600 * 1000)
        assert again.clock.state.name == "implausible"

    run(main)
