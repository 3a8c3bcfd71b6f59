"""The clock: what is believed, what a moment says of wall time, and waits that end when they should."""

from __future__ import annotations

import ctypes
import errno
import math
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.clock import BUILD_MS, Clock, ClockState, Evidence, SystemReaders, judge, reading, timers

NOW_MS = BUILD_MS + 1_000_000_000

NOTHING = Evidence(
    is_timesync_flag_set=False,
    is_kernel_synchronised=False,
    collector_skew_s=None,
    is_always=False,
    is_collector_local=False,
    wall_ms=NOW_MS,
    earliest_plausible_ms=BUILD_MS,
)


class VirtualReaders:
    """A box whose boottime is trio's clock, so that trio's mock clock moves it."""

    def __init__(self, wall_ms: int = NOW_MS) -> None:
        self.is_flag_set = False
        self.is_kernel: bool | None = False
        self._stepped = trio.Event()
        self._wall_at_boot_ms = wall_ms - self.boottime_ms()

    def set_wall(self, wall_ms: int) -> None:
        """Set the clock, as a time service or a user does."""
        self._wall_at_boot_ms = wall_ms - self.boottime_ms()
        self._stepped.set()
        self._stepped = trio.Event()

    def wall_ms(self) -> int:
        return self._wall_at_boot_ms + self.boottime_ms()

    def boottime_ms(self) -> int:
        return round(trio.current_time() * 1000)

    def boot_id(self) -> str:
        return "boot-1"

    def is_timesync_flag_set(self) -> bool:
        return self.is_flag_set

    def is_kernel_synchronised(self) -> bool | None:
        return self.is_kernel

    async def wait_for_step(self, has_stepped: Callable[[], bool]) -> None:
        stepped = self._stepped
        if not has_stepped():
            await stepped.wait()

    async def sleep_until_boot_ms(self, boot_ms: int) -> None:
        await trio.sleep(max(0.0, (boot_ms - self.boottime_ms()) / 1000))


def in_virtual_time(law: Callable[[VirtualReaders], Awaitable[None]]) -> None:
    """Run `law` on the mock clock; it is an async function of the box's readers."""

    async def main() -> None:
        await law(VirtualReaders())

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


# --- judging --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, "unsynchronised"),
        ({"is_timesync_flag_set": True}, "trusted"),
        ({"is_kernel_synchronised": True}, "trusted"),
        ({"is_kernel_synchronised": None}, "unsynchronised"),
        ({"collector_skew_s": 300.0}, "trusted"),
        ({"collector_skew_s": -300.0}, "trusted"),
        ({"collector_skew_s": 300.1}, "unsynchronised"),
        ({"collector_skew_s": -300.1}, "unsynchronised"),
        ({"collector_skew_s": math.nan}, "unsynchronised"),
        ({"is_always": True}, "trusted"),
        ({"is_always": True, "wall_ms": 0}, "trusted"),
        ({"is_collector_local": True}, "trusted"),
        ({"is_collector_local": True, "wall_ms": BUILD_MS - 1}, "implausible"),
        ({"wall_ms": BUILD_MS - 1}, "implausible"),
        ({"wall_ms": BUILD_MS}, "unsynchronised"),
        ({"wall_ms": NOW_MS, "earliest_plausible_ms": NOW_MS + 1}, "implausible"),
        ({"wall_ms": 0, "is_kernel_synchronised": True}, "trusted"),
    ],
)
def test_each_piece_of_evidence_has_its_verdict(change: dict[str, object], name: str) -> None:
    """Any one reason for trust is enough; without one, the time itself tells implausible from unknown."""
    assert judge(replace(NOTHING, **change)).name == name  # type: ignore[arg-type]  # rows of several types


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"is_timesync_flag_set": True}, "timesyncd"),
        ({"is_always": True}, "clock.trust"),
        ({"collector_skew_s": 4000.0}, "4000 s ahead of the collector"),
        ({"collector_skew_s": -4000.0}, "4000 s behind the collector"),
        ({"is_kernel_synchronised": None}, "cannot be read"),
        ({"wall_ms": 0}, "built"),
        ({"earliest_plausible_ms": NOW_MS + 1}, "known to be right"),
    ],
)
def test_the_reason_names_what_decided(change: dict[str, object], words: str) -> None:
    """An operator reads from the reason why the clock is, or is not, believed."""
    assert words in judge(replace(NOTHING, **change)).reason  # type: ignore[arg-type]  # as above


evidence = st.builds(
    Evidence,
    is_timesync_flag_set=st.booleans(),
    is_kernel_synchronised=st.sampled_from([None, False, True]),
    collector_skew_s=st.none() | st.floats(allow_nan=True),
    is_always=st.booleans(),
    is_collector_local=st.booleans(),
    wall_ms=st.integers(0, 2 * NOW_MS),
    earliest_plausible_ms=st.integers(0, 2 * NOW_MS),
)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(evidence)
def test_more_evidence_never_takes_trust_away(given_evidence: Evidence) -> None:
    """A further reason for trust can only add trust, and every verdict has a reason."""
    before = judge(given_evidence)
    assert before.name in {"trusted", "unsynchronised", "implausible"} and before.reason
    for more in (
        replace(given_evidence, is_timesync_flag_set=True),
        replace(given_evidence, is_kernel_synchronised=True),
        replace(given_evidence, collector_skew_s=0.0),
        replace(given_evidence, is_always=True),
    ):
        assert judge(more).name == "trusted"


@settings(deadline=None, derandomize=True, max_examples=200)
@given(evidence)
def test_no_vouching_no_trust(given_evidence: Evidence) -> None:
    """A clock that nobody vouches for is never trusted, however plausible its time is."""
    alone = replace(
        given_evidence,
        is_timesync_flag_set=False,
        is_kernel_synchronised=None,
        collector_skew_s=None,
        is_always=False,
        is_collector_local=False,
    )
    assert judge(alone).name != "trusted"


# --- moments --------------------------------------------------------------------------------


def test_wall_time_is_told_only_while_it_is_trusted() -> None:
    """`now` has no wall time before trust comes, and `guess_now` has it always."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        assert clock.now().wall_ms is None
        assert clock.guess_now() == NOW_MS
        box.is_flag_set = True
        assert clock.now().wall_ms is None  # Nobody has looked yet.
        assert clock.refresh() is True
        assert clock.now().wall_ms == NOW_MS
        assert clock.refresh() is False

    in_virtual_time(law)


def test_a_moment_is_of_this_boot_and_on_boottime() -> None:
    """`now` carries boot id and boottime, and the offset joins boottime to wall time."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box, trust="always")
        first = clock.now()
        await trio.sleep(7.5)
        then = clock.now()
        assert (then.boot_id, then.boot_ms - first.boot_ms) == ("boot-1", 7500)
        assert then.wall_ms == then.boot_ms + clock.offset_ms() == NOW_MS + 7500

    in_virtual_time(law)


def test_a_step_takes_trust_at_once() -> None:
    """A clock set back to 1970 is not told as wall time, even before anybody calls `refresh`."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box, is_collector_local=True)
        assert clock.now().wall_ms == NOW_MS
        box.set_wall(1_000)
        assert clock.now().wall_ms is None
        assert clock.refresh() is True  # The change has still to be reported.
        assert clock.state.name == "implausible"

    in_virtual_time(law)


def test_the_collectors_date_vouches_also_after_a_step() -> None:
    """The Date is remembered against boottime: a later step is judged by it, in both directions."""

    async def law(box: VirtualReaders) -> None:
        box.set_wall(0)
        clock = Clock(box)
        assert clock.note_collector_date(NOW_MS / 1000) is False
        assert clock.state.name == "implausible"
        await trio.sleep(3600)
        box.set_wall(NOW_MS + 3_600_000)
        assert clock.now().wall_ms == NOW_MS + 3_600_000
        box.set_wall(NOW_MS + 3_600_000 + 301_000)
        assert clock.now().wall_ms is None
        assert "301 s ahead" in clock.state.reason

    in_virtual_time(law)


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf])
def test_a_date_that_is_no_number_is_ignored(nonsense: float) -> None:
    """A Date that is not finite leaves what an earlier one said."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        assert clock.note_collector_date(NOW_MS / 1000) is True
        assert clock.note_collector_date(nonsense) is False
        assert clock.is_trusted

    in_virtual_time(law)


def test_the_last_trusted_time_bounds_what_is_plausible() -> None:
    """A time before the stored last trusted one is implausible; trust moves the bound, down as well."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box, last_trusted_ms=NOW_MS + 5000)
        assert clock.state.name == "implausible"
        assert clock.last_trusted_ms == NOW_MS + 5000
        box.is_kernel = True
        assert clock.refresh()
        assert clock.last_trusted_ms == NOW_MS
        box.is_kernel = False
        await trio.sleep(2)
        assert clock.refresh()
        assert clock.state.name == "unsynchronised"
        assert clock.last_trusted_ms == NOW_MS

    in_virtual_time(law)


# --- waits in virtual time ------------------------------------------------------------------


def test_a_change_is_seen_within_a_minute_without_any_sign() -> None:
    """A time service that slews the clock gives no step: untrusted, the clock looks by itself."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            states: list[ClockState] = []

            async def watch() -> None:
                states.append(await clock.wait_for_change(clock.state))

            nursery.start_soon(watch)
            await trio.sleep(1100)
            box.is_flag_set = True
        assert states[0].name == "trusted"
        assert 1100 <= trio.current_time() - began_s <= 1100 + 60

    in_virtual_time(law)


def test_a_step_is_seen_at_once() -> None:
    """`wait_for_change` returns at the step that makes the clock right, and at the one that undoes it."""

    async def law(box: VirtualReaders) -> None:
        box.set_wall(0)
        clock = Clock(box, is_collector_local=True)
        began_s = trio.current_time()
        for at_s, wall_ms, name in ((500, NOW_MS, "trusted"), (90_000, 0, "implausible")):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(clock.wait_for_change, clock.state)
                await trio.sleep(began_s + at_s - trio.current_time())
                box.set_wall(wall_ms)
            assert clock.state.name == name
            assert trio.current_time() == pytest.approx(began_s + at_s)

    in_virtual_time(law)


def test_a_change_that_came_before_the_wait_is_not_lost() -> None:
    """`wait_for_change` compares with the state its caller knows, so it returns at once."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        known = clock.state
        box.is_flag_set = True
        clock.refresh()
        with trio.fail_after(0.5):
            assert (await clock.wait_for_change(known)).name == "trusted"

    in_virtual_time(law)


def test_a_trusted_clock_is_left_alone() -> None:
    """While the clock is trusted and nothing happens, nothing wakes up: the evidence is not read."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box, trust="always")
        n_reads = 0

        def count() -> bool:
            nonlocal n_reads
            n_reads += 1
            return False

        box.is_timesync_flag_set = count  # type: ignore[method-assign]  # a counter in its place
        with trio.move_on_after(86_400):
            await clock.wait_for_change(clock.state)
        assert n_reads == 0

    in_virtual_time(law)


def test_a_step_between_two_waits_ends_the_second() -> None:
    """The step is noticed though it came while nobody waited."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        box.set_wall(NOW_MS + 86_400_000)
        with trio.fail_after(0.5):
            await clock.wait_for_step()

    in_virtual_time(law)


# --- the real thing -------------------------------------------------------------------------


def test_a_boottime_timer_fires_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait on the real CLOCK_BOOTTIME ends at its millisecond, with one timer, and leaks nothing."""
    monkeypatch.setattr(timers, "SHORT_WAIT_S", 0.0)
    n_timers, real_timer = 0, timers._timer

    def counted(clock: int, at_ms: int | None, flags: int) -> AbstractContextManager[int]:
        nonlocal n_timers
        n_timers += 1
        return real_timer(clock, at_ms, flags)

    monkeypatch.setattr(timers, "_timer", counted)
    descriptors_before = os.listdir("/proc/self/fd")
    due_ms = reading.boottime_ms() + 50
    trio.run(timers.sleep_until_boot_ms, due_ms)
    assert due_ms <= reading.boottime_ms() < due_ms + 5_000
    assert n_timers == 1
    assert os.listdir("/proc/self/fd") == descriptors_before


@pytest.mark.parametrize("boot_ms", [-1, 0, 1])
def test_a_moment_that_is_past_needs_no_wait(boot_ms: int) -> None:
    """Waiting for the past returns at once."""

    async def main() -> None:
        with trio.fail_after(5):
            await SystemReaders().sleep_until_boot_ms(boot_ms)

    trio.run(main)


def test_a_boottime_wait_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelling a long wait ends it, and the timer is closed."""
    monkeypatch.setattr(timers, "SHORT_WAIT_S", 0.0)
    descriptors_before = os.listdir("/proc/self/fd")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timers.sleep_until_boot_ms, reading.boottime_ms() + 3_600_000)
            nursery.start_soon(timers.wait_for_step, lambda: False)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert os.listdir("/proc/self/fd") == descriptors_before


def test_the_step_timer_is_armed_and_silent() -> None:
    """A real cancel-on-set timer is accepted by the kernel and silent while the clock is left alone."""
    flags = timers._TFD_TIMER_ABSTIME | timers._TFD_TIMER_CANCEL_ON_SET
    with timers._timer(time.CLOCK_REALTIME, None, flags) as descriptor, pytest.raises(BlockingIOError):
        os.read(descriptor, 8)


@pytest.mark.parametrize("has_stepped", [True, False])
def test_a_cancelled_timer_is_a_step(monkeypatch: pytest.MonkeyPatch, has_stepped: bool) -> None:
    """The kernel's ECANCELED ends `wait_for_step`, whatever the offset says."""

    async def cancelled(*_: object) -> None:
        raise OSError(errno.ECANCELED, "the clock was set")

    monkeypatch.setattr(timers, "_wait_on_timer", cancelled)

    async def main() -> None:
        with trio.fail_after(5):
            await timers.wait_for_step(lambda: has_stepped)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_without_timerfd_the_waits_fall_back_to_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel refuses timers, a sleep still ends in time and a step is found within a minute."""

    async def refused(*_: object) -> None:
        raise OSError(errno.EMFILE, "no descriptor left")

    def virtual_boottime_ms() -> int:
        return round(trio.current_time() * 1000)

    monkeypatch.setattr(timers, "_wait_on_timer", refused)
    monkeypatch.setattr(timers, "boottime_ms", virtual_boottime_ms)

    async def main() -> None:
        began_s = trio.current_time()
        await timers.sleep_until_boot_ms(virtual_boottime_ms() + 1_000_000)
        assert trio.current_time() - began_s == pytest.approx(1000, abs=0.01)
        step_s = trio.current_time() + 100
        await timers.wait_for_step(lambda: trio.current_time() >= step_s)
        assert step_s <= trio.current_time() <= step_s + timers.POLL_S

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_the_kernels_clocks_are_read_in_milliseconds() -> None:
    """Boottime and wall time agree with Python's own clocks to the millisecond's neighbourhood."""
    before_ms = time.clock_gettime(time.CLOCK_BOOTTIME) * 1000
    assert math.floor(before_ms) <= reading.boottime_ms() <= before_ms + 5_000
    assert abs(reading.wall_ms() - time.time() * 1000) <= 5_000


def test_the_kernels_word_is_that_of_its_return_value() -> None:
    """On this box the status bit agrees with what adjtimex(2) returns: TIME_ERROR (5) or better."""
    answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    assert reading.is_kernel_synchronised() is (None if answer < 0 else answer != 5)


@pytest.mark.parametrize(
    ("answer", "status", "word"),
    [(0, 0x2001, True), (5, 0x2041, False), (5, 0x40, False), (-1, 0, None), (-1, 0x40, None)],
)
def test_the_status_bit_decides(
    monkeypatch: pytest.MonkeyPatch, answer: int, status: int, word: bool | None
) -> None:
    """STA_UNSYNC clear is synchronised, set is not, and a refusal is no word at all."""

    class Libc:
        def adjtimex(self, timex: object) -> int:
            ctypes.cast(timex, ctypes.POINTER(reading._Timex)).contents.status = status  # type: ignore[arg-type]  # byref
            return answer

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Libc())
    assert reading.is_kernel_synchronised() is word


def test_a_libc_without_adjtimex_has_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the C library lacks the call, the kernel's word is unknown, not an error."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert reading.is_kernel_synchronised() is None


def test_the_boot_id_is_the_kernels() -> None:
    """The id is the one in /proc, the same at every call."""
    assert reading.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert reading.boot_id() is reading.boot_id()


def test_without_proc_the_boot_id_is_shared_with_nothing(tmp_path: Path) -> None:
    """Hidden, empty or undecodable: each reading makes another id, for two boots must never share one."""
    for content in (None, b"", b"\xff"):
        path = tmp_path / "boot_id"
        if content is not None:
            path.write_bytes(content)
        first, second = reading.read_boot_id(path), reading.read_boot_id(path)
        assert first.startswith("process-") and first != second


def test_the_timesync_flag_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The flag is set exactly while the file is there."""
    monkeypatch.setattr(reading, "TIMESYNC_FLAG", tmp_path / "synchronized")
    assert not reading.is_timesync_flag_set()
    (tmp_path / "synchronized").touch()
    assert reading.is_timesync_flag_set()
