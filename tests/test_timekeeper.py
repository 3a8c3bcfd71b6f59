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
from jwpingd.daemon.trusted_time import TrustedTime
from jwpingd.errors import StoreError
from jwpingd.ping import fold
from jwpingd.spool import Entry, Limits
from jwpingd.uplink import CollectorTime, Outcome
from jwpingd.writer import Writer
from tests.inline import MoodySpool, entry, moody_spool, run, writer_on
from tests.virtual_clocks import VirtualReaders

NOW_MS = BUILD_MS + 10_000_000_000


Answer = Callable[[VirtualReaders], CollectorTime]


def unreachable(_box: VirtualReaders) -> CollectorTime:
    return CollectorTime(Outcome.NO_ANSWER)


def without_date(_box: VirtualReaders) -> CollectorTime:
    return CollectorTime(Outcome.ANSWERED)


def out_of_time(_box: VirtualReaders) -> CollectorTime:
    return CollectorTime(Outcome.OUT_OF_TIME)


def date_that_is(ahead_ms: int) -> Answer:
    """The collector's Date, so much ahead of the box's clock as it was at first."""
    offset_ms: list[int] = []

    def answer(box: VirtualReaders) -> CollectorTime:
        offset_ms[:] = offset_ms or [box.wall_ms() - box.boottime_ms() + ahead_ms]
        return CollectorTime(Outcome.ANSWERED, (box.boottime_ms() + offset_ms[0]) // 1000)

    return answer


class Box:
    """A timekeeper with its clock and writer."""

    def __init__(
        self,
        directory: Path,
        wall_ms: int,
        answer: Answer = unreachable,
        boot: str = "boot",
        spool: MoodySpool | None = None,
    ) -> None:
        self.readers = VirtualReaders(wall_ms, boot=boot)
        self.directory = directory
        kept = trusted_time.read(directory)
        self.clock = Clock(self.readers, last_trusted_ms=kept.wall_ms, proven_offset_ms=kept.proven_in(boot))
        self.writer: Writer = writer_on(spool or moody_spool(directory))
        self.answer = answer
        self.n_asked = 0
        self.timekeeper = Timekeeper(
            self.clock,
            self.writer,
            hold_max_s=600,
            needs_tls=lambda: True,
            ask_collector=self._ask,
            remember=self._remember,
            fraction=lambda: 0.999,
        )

    async def _ask(self) -> CollectorTime:
        self.n_asked += 1
        await trio.sleep(0.1)
        return self.answer(self.readers)

    async def _remember(self) -> None:
        known = TrustedTime(self.clock.last_trusted_ms, self.readers.boot_id(), self.clock.proven_offset_ms)
        trusted_time.keep(self.directory, known)

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
    """Where no collector tells the time, pings go by the box's clock after hold_max_s, and are counted.

    Later ones go at once.
    """

    async def main() -> None:
        async with living(Box(tmp_path, NOW_MS, without_date)) as box:
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


@pytest.mark.parametrize("answer", [unreachable, out_of_time])
def test_while_nothing_can_be_sent_nothing_is_guessed(tmp_path: Path, answer: Answer) -> None:
    """Offline for a day with an unproven clock: the time comes with the network, and is exact."""

    async def main() -> None:
        async with living(Box(tmp_path, NOW_MS, answer)) as box:
            happened_ms = box.event()
            await trio.sleep(24 * 3600)
            assert not box.timekeeper.may_send
            assert await box.writer.claim(10) == []
            truth_ms = box.readers.wall_ms() + 40 * 86_400_000 - box.readers.boottime_ms()
            box.answer = date_that_is(40 * 86_400_000)
            box.timekeeper.network_changed()
            await trio.sleep(5)
            (claimed,) = await box.writer.claim(10)
            assert claimed.sa_ms is not None and not claimed.is_guessed
            assert abs(claimed.sa_ms - (happened_ms + truth_ms)) <= 1000
            assert box.timekeeper.may_send

    run(main)


def test_a_certificate_out_of_time_shows_as_the_clock(tmp_path: Path) -> None:
    """TLS that cannot work for the clock is a state of the clock."""

    async def main() -> None:
        async with living(Box(tmp_path, NOW_MS, out_of_time)) as box:
            assert box.clock.state.name == "implausible"
            assert "certificate" in box.clock.state.reason

    run(main)


def test_questions_get_rarer(tmp_path: Path) -> None:
    """While the collector cannot be reached a day costs some three hundred questions, spread by jitter."""

    async def main() -> None:
        async with living(Box(tmp_path, NOW_MS)) as box:
            box.event()
            await trio.sleep(24 * 3600)
            assert 250 <= box.n_asked <= 320

    run(main)


def test_an_implausible_clock_is_never_believed(tmp_path: Path) -> None:
    """A clock earlier than the program gets no ping out, however long it takes."""

    async def main() -> None:
        async with living(Box(tmp_path, wall_ms=0)) as box:
            box.event()
            await trio.sleep(7 * 24 * 3600)
            assert await box.writer.claim(10) == []

    run(main)


@pytest.mark.parametrize("ahead_ms", [0, 299_000, -299_000, 400 * 86_400_000])
def test_the_collectors_date_tells_the_time(tmp_path: Path, ahead_ms: int) -> None:
    """A Date of a verified answer is the time, within a second, whatever the box's clock says; at once."""

    async def main() -> None:
        async with living(Box(tmp_path, NOW_MS, date_that_is(ahead_ms))) as box:
            happened_ms = box.event()
            truth_ms = happened_ms + NOW_MS + ahead_ms - 1_000_000
            await trio.sleep(5)
            (claimed,) = await box.writer.claim(10)
            assert claimed.sa_ms is not None and abs(claimed.sa_ms - truth_ms) <= 1000
            assert not claimed.is_guessed
            assert box.n_asked == 1

    run(main)


def test_nobody_asks_while_nothing_is_held(tmp_path: Path) -> None:
    """Once the way is known to be open, the collector is asked only while pings wait for a time."""

    async def main() -> None:
        async with living(Box(tmp_path, NOW_MS, without_date)) as box:
            await box.writer.give_times("boot", 0, is_guess=True)
            await trio.sleep(10)
            asked = box.n_asked
            await trio.sleep(5000)
            assert box.n_asked == asked

    run(main)


def test_the_last_trusted_time_is_kept(tmp_path: Path) -> None:
    """A clock that falls behind a time that was once right is implausible after the box started again."""

    async def main() -> None:
        box = Box(tmp_path, wall_ms=NOW_MS)
        box.readers.is_kernel = True
        async with living(box):
            await trio.sleep(70)
        again = Box(tmp_path, wall_ms=NOW_MS - 10 * 24 * 3600 * 1000, boot="the next boot")
        assert again.clock.state.name == "implausible"

    run(main)


def test_what_was_proven_is_kept_for_the_boot(tmp_path: Path) -> None:
    """A daemon that starts again in the same boot knows the time, though the clock was set by hand since."""

    async def main() -> None:
        box = Box(tmp_path, wall_ms=0)
        async with living(box):
            box.readers.set_wall(NOW_MS, is_vouched_for=True)
            await trio.sleep(1)
        again = Box(tmp_path, wall_ms=5)
        assert again.clock.is_known
        assert again.clock.now().wall_ms == NOW_MS + again.clock.now().boot_ms - 1_001_000

    run(main)


@pytest.mark.parametrize("content", [b"", b"\xff", b"12 boot", b"x boot 5", b"1 2 3 4", b"9" * 5000])
def test_a_damaged_file_of_the_trusted_time_is_as_none(tmp_path: Path, content: bytes) -> None:
    """A damaged file of the trusted time costs that knowledge and nothing else."""
    (tmp_path / "last-trusted-ms").write_bytes(content)
    assert trusted_time.read(tmp_path).proven_in("boot") is None


class Untimely(MoodySpool):
    """A spool that takes pings, and can be made to refuse their times."""

    refuses_times = False

    def fix_times(self, boot_id: str, offset_ms: int) -> int:
        if self.refuses_times:
            raise StoreError("flash refuses")
        return super().fix_times(boot_id, offset_ms)


def test_a_store_that_takes_no_times_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Flash may refuse for days: it is tried twice a second, and the log says so once a spell."""

    async def main() -> None:
        spool = Untimely(tmp_path, Limits(1 << 20), fold=fold)
        box = Box(tmp_path, NOW_MS, spool=spool)
        box.readers.set_wall(NOW_MS, is_vouched_for=True)
        async with living(box):
            for _ in range(2):
                spool.refuses_times = True
                box.writer.submit([entry("e", sa_ms=None)])
                await trio.sleep(60)
                spool.refuses_times = False
                await trio.sleep(60)

    run(main)
    assert sum("got no time" in line for line in caplog.messages) == 2


def test_flash_is_spared(tmp_path: Path) -> None:
    """What differs by less than a day, in the same boot by the same proof, is not written again."""
    file = tmp_path / "last-trusted-ms"
    trusted_time.keep(tmp_path, TrustedTime(NOW_MS, "boot", 77))
    before = file.stat()
    for same in (TrustedTime(NOW_MS + 80_000_000, "boot", 400), TrustedTime(NOW_MS + 80_000_000)):
        trusted_time.keep(tmp_path, same)
    assert file.stat() == before
    for other in (TrustedTime(NOW_MS, "boot", 900), TrustedTime(NOW_MS, "next", 900)):
        trusted_time.keep(tmp_path, other)
        assert trusted_time.read(tmp_path) == other
