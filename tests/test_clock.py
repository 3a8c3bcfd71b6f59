"""The clock: what is believed, what a moment says of wall time, and waits that end when they should."""

from __future__ import annotations

import ctypes
import errno
import math
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.clock import BUILD_MS, Clock, ClockState, Evidence, SystemReaders, judge, reading, timers
from jwpingd.clock.bounds import Bounds, bounds_of_date
from tests.virtual_clocks import VirtualReaders

NOW_MS = BUILD_MS + 1_000_000_000

NOTHING = Evidence(
    wall_ms=NOW_MS, boot_ms=1_000_000, earliest_plausible_ms=BUILD_MS, is_kernel_synchronised=False
)
OFFSET_MS = NOTHING.offset_ms


def about(error_ms: int, offset_ms: int = OFFSET_MS) -> Bounds:
    """What the collector says, known to `error_ms`."""
    return Bounds(offset_ms - error_ms, offset_ms + error_ms)


def in_virtual_time(law: Callable[[VirtualReaders], Awaitable[None]]) -> None:
    """Run `law` on the mock clock; it is an async function of the box's readers."""

    async def main() -> None:
        await law(VirtualReaders(NOW_MS))

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


# --- judging --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "name", "offset_ms"),
    [
        ({}, "unsynchronised", None),
        ({"is_kernel_synchronised": None}, "unsynchronised", None),
        ({"is_timesync_flag_set": True}, "trusted", OFFSET_MS),
        ({"is_kernel_synchronised": True}, "trusted", OFFSET_MS),
        ({"wall_ms": 1_000_000, "is_kernel_synchronised": True}, "trusted", 0),
        ({"is_always": True}, "trusted", OFFSET_MS),
        ({"is_always": True, "wall_ms": 1_000_000, "proven_offset_ms": OFFSET_MS}, "trusted", 0),
        # The collector's clock is taken whatever the box's says, if it is known well enough.
        ({"collector": about(1000)}, "trusted", OFFSET_MS),
        ({"collector": about(1001)}, "unsynchronised", None),
        ({"collector": about(600, OFFSET_MS + 86_400_000)}, "trusted", OFFSET_MS + 86_400_000),
        ({"collector": about(600), "wall_ms": 0}, "trusted", OFFSET_MS),
        ({"collector": about(600, 5), "is_kernel_synchronised": True}, "trusted", OFFSET_MS),
        # What was proven stays known, unless somebody vouches for the clock as it is now.
        ({"proven_offset_ms": OFFSET_MS - 7_000}, "trusted", OFFSET_MS - 7_000),
        ({"proven_offset_ms": OFFSET_MS - 7_000, "is_kernel_synchronised": True}, "trusted", OFFSET_MS),
        ({"proven_offset_ms": OFFSET_MS - 7_000, "is_timesync_flag_set": True}, "trusted", OFFSET_MS - 7_000),
        ({"proven_offset_ms": OFFSET_MS - 500, "is_timesync_flag_set": True}, "trusted", OFFSET_MS),
        (
            {"proven_offset_ms": 5, "is_timesync_flag_set": True, "is_kernel_synchronised": None},
            "trusted",
            OFFSET_MS,
        ),
        ({"proven_offset_ms": OFFSET_MS, "collector": about(10, 5)}, "trusted", OFFSET_MS),
        # A collector on the box vouches for any clock that is plausible, and for none after it is set.
        ({"is_collector_local": True}, "trusted", OFFSET_MS),
        ({"is_collector_local": True, "wall_ms": BUILD_MS - 1}, "implausible", None),
        ({"wall_ms": BUILD_MS - 1}, "implausible", None),
        ({"wall_ms": BUILD_MS}, "unsynchronised", None),
        ({"earliest_plausible_ms": NOW_MS + 1}, "implausible", None),
        ({"is_certificate_out_of_time": True}, "implausible", None),
        ({"is_certificate_out_of_time": True, "is_kernel_synchronised": True}, "trusted", OFFSET_MS),
        # The time is known, but nothing can be sent by a clock that was set to another one since.
        ({"is_certificate_out_of_time": True, "proven_offset_ms": OFFSET_MS}, "trusted", OFFSET_MS),
        ({"is_certificate_out_of_time": True, "proven_offset_ms": 5}, "implausible", 5),
    ],
)
def test_each_piece_of_evidence_has_its_verdict(
    change: dict[str, object], name: str, offset_ms: int | None
) -> None:
    """Any one reason for trust is enough, and says which time is right; without one, there is none."""
    state = judge(NOTHING._replace(**change))  # type: ignore[arg-type]  # rows of several types
    assert (state.name, state.offset_ms) == (name, offset_ms)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"is_timesync_flag_set": True}, "timesyncd"),
        ({"is_always": True}, "clock.trust"),
        (
            {"collector": about(600, OFFSET_MS - 4_000_000)},
            "collector's clock is used: the box's clock is 4000 s ahead",
        ),
        ({"collector": about(600, OFFSET_MS + 4_000_000)}, "4000 s behind"),
        ({"collector": about(600)}, "the collector's clock is used"),
        ({"collector": about(3000)}, "known to 3 s only"),
        ({"proven_offset_ms": OFFSET_MS + 90_000}, "is kept: the box's clock is 90 s behind"),
        ({"proven_offset_ms": OFFSET_MS}, "proven right in this boot"),
        ({"is_kernel_synchronised": None}, "cannot be read"),
        ({"is_certificate_out_of_time": True}, "certificate"),
        ({"wall_ms": 0}, "built"),
        ({"earliest_plausible_ms": NOW_MS + 1}, "known to be right"),
    ],
)
def test_the_reason_names_what_decided(change: dict[str, object], words: str) -> None:
    """An operator reads from the reason why the clock is, or is not, believed."""
    assert words in judge(NOTHING._replace(**change)).reason  # type: ignore[arg-type]  # as above


evidence = st.builds(
    Evidence,
    wall_ms=st.integers(0, 2 * NOW_MS),
    boot_ms=st.integers(0, 10**10),
    earliest_plausible_ms=st.integers(0, 2 * NOW_MS),
    is_kernel_synchronised=st.sampled_from([None, False, True]),
    is_timesync_flag_set=st.booleans(),
    collector=st.none() | st.builds(about, st.integers(0, 5_000), st.integers(0, 2 * NOW_MS)),
    proven_offset_ms=st.none() | st.integers(0, 2 * NOW_MS),
    is_always=st.booleans(),
    is_collector_local=st.booleans(),
    is_certificate_out_of_time=st.booleans(),
)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(evidence)
def test_more_evidence_never_takes_trust_away(given_evidence: Evidence) -> None:
    """A further proof makes the time known, every verdict has a reason, and trust has a time."""
    before = judge(given_evidence)
    assert before.name in {"trusted", "unsynchronised", "implausible"} and before.reason
    assert before.name != "trusted" or before.offset_ms is not None
    for more in (
        given_evidence._replace(is_kernel_synchronised=True),
        given_evidence._replace(collector=about(600)),
        given_evidence._replace(proven_offset_ms=OFFSET_MS),
        given_evidence._replace(is_always=True),
    ):
        assert judge(more).offset_ms is not None


@settings(deadline=None, derandomize=True, max_examples=200)
@given(evidence)
def test_no_vouching_no_trust(given_evidence: Evidence) -> None:
    """A clock that nobody vouches for is never trusted, however plausible its time is."""
    alone = given_evidence._replace(
        is_kernel_synchronised=None,
        is_timesync_flag_set=False,
        collector=None,
        proven_offset_ms=None,
        is_always=False,
        is_collector_local=False,
    )
    assert judge(alone).name != "trusted"


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    truth_ms=st.integers(NOW_MS, 2 * NOW_MS),
    answers=st.lists(
        st.tuples(st.integers(0, 9_000), st.integers(0, 9_000), st.integers(0, 10**7)), min_size=1
    ),
)
def test_the_truth_is_within_what_dates_say(truth_ms: int, answers: list[tuple[int, int, int]]) -> None:
    """However slow question and answer were, the true offset is within the bounds, and they only narrow."""
    found: Bounds | None = None
    for to_ms, back_ms, asked_ms in answers:
        date_s = (truth_ms + asked_ms + to_ms) // 1000
        newer = bounds_of_date(date_s, asked_ms, asked_ms + to_ms + back_ms)
        narrowed = newer if found is None else found.narrowed(newer)
        assert found is None or narrowed.error_ms <= found.error_ms
        found = narrowed
        assert abs(truth_ms - found.middle_ms) <= found.error_ms


def test_a_collector_that_contradicts_itself_is_believed_as_it_is_now() -> None:
    """Two Dates that cannot both be true: the newer counts."""
    assert Bounds(0, 1000).narrowed(Bounds(5000, 6000)) == Bounds(5000, 6000)


# --- moments --------------------------------------------------------------------------------


def test_wall_time_is_told_only_while_it_is_trusted() -> None:
    """`now` has no wall time before trust comes, and `guess_now` has it always."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        assert clock.now().wall_ms is None
        assert clock.guess_now() == NOW_MS
        box.flag_ms = box.wall_ms()
        assert clock.now().wall_ms is None  # Nobody has looked yet.
        assert clock.refresh().name == "trusted"
        assert clock.now().wall_ms == NOW_MS

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
        assert clock.refresh().name == "implausible"

    in_virtual_time(law)


def test_what_was_proven_outlives_any_setting_of_the_clock() -> None:
    """Synchronised once, then set by hand, to and fro: the time told is the true one; the state says why."""

    async def law(box: VirtualReaders) -> None:
        box.set_wall(0)
        clock = Clock(box)
        box.set_wall(NOW_MS, is_vouched_for=True)
        assert clock.now().wall_ms == NOW_MS
        began_s = trio.current_time()
        for step_ms in (-3_600_000, 56 * 365 * 86_400_000, -(56 * 365) * 86_400_000, 700):
            await trio.sleep(100)
            box.set_wall(box.wall_ms() + step_ms)
            assert clock.now().wall_ms == NOW_MS + round((trio.current_time() - began_s) * 1000)
        assert "is kept" in clock.state.reason

    in_virtual_time(law)


def test_a_time_service_is_believed_again_after_a_step_by_hand() -> None:
    """The service vouches a moment after it has set the clock; the next look takes its time."""

    async def law(box: VirtualReaders) -> None:
        box.set_wall(0)
        clock = Clock(box)
        box.set_wall(NOW_MS, is_vouched_for=True)
        assert clock.now().wall_ms == NOW_MS
        box.set_wall(NOW_MS + 40_000)
        assert clock.now().wall_ms == NOW_MS
        await trio.sleep(2)
        box.is_kernel = True
        assert clock.now().wall_ms == NOW_MS + 42_000

    in_virtual_time(law)


def test_timesyncs_flag_speaks_of_the_clock_as_it_was_when_it_was_touched() -> None:
    """Where the kernel cannot be asked: a step makes the flag stale until it is touched again."""

    async def law(box: VirtualReaders) -> None:
        box.is_kernel = None
        box.set_wall(0)
        clock = Clock(box)
        box.set_wall(NOW_MS, is_vouched_for=True)
        assert clock.now().wall_ms == NOW_MS
        box.set_wall(NOW_MS - 90_000)
        assert clock.now().wall_ms == NOW_MS
        await trio.sleep(50)
        box.flag_ms = box.wall_ms()
        assert clock.now().wall_ms == NOW_MS - 40_000

    in_virtual_time(law)


@pytest.mark.parametrize("shift_ms", [-2_000_000, 2_000_000])
def test_a_flag_of_another_time_is_no_proof(shift_ms: int) -> None:
    """By the clock as it is the flag was touched before the boot, or will be: the clock was set since."""

    async def law(box: VirtualReaders) -> None:
        box.is_kernel = None
        box.flag_ms = box.wall_ms() + shift_ms
        assert Clock(box).state.name == "unsynchronised"

    in_virtual_time(law)


def test_the_collectors_date_holds_whatever_is_done_to_the_clock() -> None:
    """The Date is remembered against boottime: it tells the time before and after any step."""

    async def law(box: VirtualReaders) -> None:
        box.set_wall(0)
        clock = Clock(box)
        assert clock.state.name == "implausible"
        clock.note_answer(NOW_MS / 1000, box.boottime_ms())
        for step_ms in (0, NOW_MS, 301_000):
            box.set_wall(box.wall_ms() + step_ms)
            assert clock.now().wall_ms == NOW_MS + 500  # The middle of the second that the Date names.

    in_virtual_time(law)


def test_a_slow_answer_is_no_proof_and_a_second_one_may_be() -> None:
    """A Date that took ten seconds is known to five; the next, quicker one is exact enough."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        truth_ms = NOW_MS + 86_400_000 - box.boottime_ms()
        for took_s, is_known in ((10.0, False), (0.1, True)):
            asked_ms = box.boottime_ms()
            await trio.sleep(took_s)
            clock.note_answer((truth_ms + box.boottime_ms()) // 1000, asked_ms)
            assert clock.is_known is is_known
        assert abs(clock.offset_ms() - truth_ms) <= 600

    in_virtual_time(law)


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf])
def test_a_date_that_is_no_number_is_ignored(nonsense: float) -> None:
    """A Date that is not finite leaves what an earlier one said."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        clock.note_answer(NOW_MS / 1000, box.boottime_ms())
        clock.note_answer(nonsense, box.boottime_ms())
        assert clock.is_known

    in_virtual_time(law)


def test_a_certificate_out_of_time_is_a_state_of_the_clock() -> None:
    """A certificate that is out of time says that the clock is wrong, until it is set or an answer comes."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box)
        assert clock.note_certificate_out_of_time().name == "implausible"
        box.set_wall(NOW_MS + 86_400_000)
        assert clock.now().wall_ms is None
        assert clock.state.name == "unsynchronised"

    in_virtual_time(law)


def test_the_last_trusted_time_bounds_what_is_plausible() -> None:
    """A time before the stored last trusted one is implausible; trust moves the bound, down as well."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box, last_trusted_ms=NOW_MS + 5000)
        assert clock.state.name == "implausible"
        assert clock.last_trusted_ms == NOW_MS + 5000
        box.is_kernel = True
        clock.refresh()
        assert clock.last_trusted_ms == NOW_MS

    in_virtual_time(law)


def test_what_an_earlier_run_proved_in_this_boot_is_known() -> None:
    """After a restart of the daemon the time is known, though nobody vouches for the clock any more."""

    async def law(box: VirtualReaders) -> None:
        truth_ms = NOW_MS + 77_000_000
        clock = Clock(box, proven_offset_ms=truth_ms - box.boottime_ms())
        assert clock.now().wall_ms == truth_ms
        assert clock.last_trusted_ms == truth_ms

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
            box.is_kernel = True
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
        box.is_kernel = True
        clock.refresh()
        with trio.fail_after(0.5):
            assert (await clock.wait_for_change(known)).name == "trusted"

    in_virtual_time(law)


def test_a_trusted_clock_is_left_alone() -> None:
    """While the clock is trusted and nothing happens, nothing wakes up: the evidence is not read."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box, trust="always")
        n_reads = 0

        def count() -> None:
            nonlocal n_reads
            n_reads += 1

        box.timesync_flag_ms = count  # type: ignore[method-assign]  # a counter in its place
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


def test_standby_is_seen_and_a_step_is_none() -> None:
    """`wait_for_wake` returns after hours of standby, also after one while nobody waited; not for a step."""

    async def law(box: VirtualReaders) -> None:
        clock = Clock(box, trust="always")
        with trio.move_on_after(86_400) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(clock.wait_for_wake)
                await trio.sleep(5)
                box.set_wall(0)
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.wait_for_wake)
            await trio.sleep(5)
            box.stand_by(8 * 3_600_000)
        box.stand_by(3_600_000)
        with trio.fail_after(0.5):
            await clock.wait_for_wake()

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
    """Where the kernel refuses timers, a sleep ends in time; a step or standby is found within a minute."""
    standby_ms = 0

    async def refused(*_: object) -> None:
        raise OSError(errno.EMFILE, "no descriptor left")

    def virtual_boottime_ms() -> int:
        return round(trio.current_time() * 1000)

    monkeypatch.setattr(timers, "_wait_on_timer", refused)
    monkeypatch.setattr(timers, "boottime_ms", virtual_boottime_ms)
    monkeypatch.setattr(timers, "monotonic_ms", lambda: virtual_boottime_ms() - standby_ms)

    async def main() -> None:
        began_s = trio.current_time()
        await timers.sleep_until_boot_ms(virtual_boottime_ms() + 1_000_000)
        assert trio.current_time() - began_s == pytest.approx(1000, abs=0.01)
        step_s = trio.current_time() + 100
        await timers.wait_for_step(lambda: trio.current_time() >= step_s)
        assert step_s <= trio.current_time() <= step_s + timers.POLL_S
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timers.wait_for_step, lambda: False)
            await trio.sleep(1000)
            nonlocal standby_ms
            standby_ms = 5000
            woken_s = trio.current_time()
        assert trio.current_time() <= woken_s + timers.POLL_S

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_clock_beyond_the_longest_timer_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a 32-bit time_t and a clock after 2038 the timer fires at once: no reason to spin."""

    async def fires_at_once(*_: object) -> None:
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(timers, "_wait_on_timer", fires_at_once)
    n_looks = 0

    def has_stepped() -> bool:
        nonlocal n_looks
        n_looks += 1
        return False

    async def main() -> None:
        with trio.move_on_after(600):
            await timers.wait_for_step(has_stepped)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert 2 <= n_looks <= 12


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
    """The flag is set while the file is there, since the file was touched."""
    monkeypatch.setattr(reading, "TIMESYNC_FLAG", tmp_path / "synchronized")
    assert reading.timesync_flag_ms() is None
    (tmp_path / "synchronized").touch()
    touched_ms = reading.timesync_flag_ms()
    assert touched_ms is not None and abs(touched_ms - time.time() * 1000) < 60_000
