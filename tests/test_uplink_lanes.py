"""The lanes: which entry goes next, and at what pace."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.uplink.lanes import CLAIM_AT_ONCE, MAX_PARKED, Claim, Held, Lanes, Pace
from tests.uplink_fakes import an_entry


def take_all(lanes: Lanes, now_s: float, queue: list[int], *, n_most: int = 1000) -> list[int]:
    """Do what the lanes say, with claims served from the ids in `queue`; the ids sent."""
    sent: list[int] = []
    while len(sent) < n_most:
        todo = lanes.alternating(now_s)
        if todo is None:
            break
        if isinstance(todo, Held):
            sent.append(todo.entry.id)
            lanes.remove(todo)
        else:
            serve(lanes, todo, queue)
    return sent


def serve(lanes: Lanes, claim: Claim, queue: list[int]) -> list[int]:
    """What the queue would answer to a claim."""
    ids = [i for i in sorted(queue) if claim.after_id < i <= (inf if claim.to_id is None else claim.to_id)]
    for entry_id in ids[: claim.limit]:
        queue.remove(entry_id)
    lanes.claimed(claim, [an_entry(i) for i in ids[: claim.limit]], last_id=10_000)
    return ids[: claim.limit]


def hold(lanes: Lanes, ids: Iterable[int]) -> None:
    """Put live entries in hand; there are no others."""
    no_backlog = lanes.oldest(0.0)
    assert isinstance(no_backlog, Claim)
    lanes.claimed(no_backlog, [], last_id=10_000)
    live = lanes.alternating(0.0)
    assert isinstance(live, Claim)
    lanes.claimed(live, [an_entry(i) for i in ids], last_id=10_000)


# --- pace -------------------------------------------------------------------------------------------


@given(per_s=st.floats(0.1, 1000), burst=st.floats(1, 50), gaps=st.lists(st.floats(0, 3), max_size=60))
@settings(deadline=None, max_examples=200)
def test_pace_is_kept(per_s: float, burst: float, gaps: list[float]) -> None:
    """In any stretch of time no more go than the burst and what the rate allows; who waits, gets on."""
    pace, now_s, taken_s = Pace(per_s, burst), 0.0, []
    for gap_s in gaps:
        now_s = max(now_s + gap_s, pace.ready_at())
        pace.take(now_s)
        taken_s.append(now_s)
    for first in range(len(taken_s)):
        n_taken, stretch_s = len(taken_s) - first, taken_s[-1] - taken_s[first]
        assert n_taken <= burst + stretch_s * per_s + 1e-6


def test_no_limit() -> None:
    """A rate of 0 lets everything through at once."""
    pace = Pace(0, 1)
    for _ in range(1000):
        assert pace.ready_at() <= 5.0
        pace.take(5.0)


# --- turns ------------------------------------------------------------------------------------------


def test_oldest_first() -> None:
    """Within a lane the lowest id goes first, in whatever order they came to hand."""
    lanes = Lanes(0, max_per_s=0)
    assert take_all(lanes, 0.0, [5, 3, 9, 1]) == [1, 3, 5, 9]


def test_lanes_take_turns() -> None:
    """With something ready in both, neither lane goes twice in a row."""
    lanes = Lanes(100, max_per_s=0)
    sent = take_all(lanes, 0.0, [*range(1, 100), *range(101, 200)], n_most=40)
    assert [entry_id > 100 for entry_id in sent] == [True, False] * 20


def test_a_probe_takes_the_oldest() -> None:
    """A probe asks for one entry only, and for the oldest of all."""
    lanes = Lanes(100, max_per_s=0)
    claim = lanes.oldest(0.0)
    assert isinstance(claim, Claim) and (claim.limit, claim.after_id, claim.to_id) == (1, 0, 100)
    serve(lanes, claim, [7, 101])
    held = lanes.oldest(0.0)
    assert isinstance(held, Held) and held.entry.id == 7


def test_each_lane_has_its_own_pace() -> None:
    """A backlog goes evenly at the rate; the live lane may use a second's worth at once."""
    lanes = Lanes(100, max_per_s=10)
    sent = take_all(lanes, 0.0, list(range(1, 200)))
    assert [i for i in sent if i <= 100] == [1]
    assert [i for i in sent if i > 100] == list(range(101, 111))
    assert lanes.wake_at() == pytest.approx(0.1)


def test_backlog_can_be_held() -> None:
    """Until then only live entries go, and the lanes say when to come back."""
    lanes = Lanes(100, max_per_s=0, hold_backlog_until_s=30.0)
    queue = [1, 2, 101]
    assert take_all(lanes, 0.0, queue) == [101]
    assert lanes.wake_at() == 30.0
    assert take_all(lanes, 30.0, queue) == [1, 2]


def test_a_probe_respects_the_hold() -> None:
    """While the backlog is held, the oldest entry that may go is a live one."""
    lanes = Lanes(100, max_per_s=0, hold_backlog_until_s=30.0)
    claim = lanes.oldest(0.0)
    assert isinstance(claim, Claim) and claim.after_id == 100


def test_when_the_link_comes_up_all_that_waits_is_backlog() -> None:
    """Entries of the time offline leave evenly, so that what happens now is not behind them."""
    lanes = Lanes(0, max_per_s=10)
    lanes.link_came_up(50, 10)
    assert take_all(lanes, 0.0, [1, 2, 51, 52]) == [51, 1, 52]


def test_a_last_id_that_was_too_high_is_corrected() -> None:
    """A queue that did not know its store yet named too high an id: new entries are live all the same."""
    lanes = Lanes(1 << 41, max_per_s=10)
    first = lanes.alternating(0.0)
    assert isinstance(first, Claim)
    lanes.claimed(first, [], last_id=7)
    lanes.more()
    assert take_all(lanes, 0.0, [8, 9, 10]) == [8, 9, 10]


# --- claiming ---------------------------------------------------------------------------------------


def test_nothing_is_claimed_twice_in_vain() -> None:
    """A short answer is the last word until the queue says that there is more."""
    lanes = Lanes(0, max_per_s=0)
    take_all(lanes, 0.0, [])
    assert lanes.alternating(0.0) is None and lanes.wake_at() == inf
    lanes.more()
    assert isinstance(lanes.alternating(0.0), Claim)


def test_one_claim_per_live_entry() -> None:
    """Once the backlog is gone, one claim looks everywhere: older entries become sendable late."""
    lanes = Lanes(100, max_per_s=0)
    take_all(lanes, 0.0, [])
    lanes.more()
    claim = lanes.alternating(0.0)
    assert isinstance(claim, Claim) and (claim.limit, claim.after_id, claim.to_id) == (CLAIM_AT_ONCE, 0, None)
    serve(lanes, claim, [101])
    assert take_all(lanes, 0.0, []) == [101]
    assert lanes.wake_at() == inf


def test_old_entries_that_become_sendable_are_backlog() -> None:
    """When the clock becomes known thousands may: they keep the backlog's pace, live ones overtake."""
    lanes = Lanes(1000, max_per_s=10)
    take_all(lanes, 0.0, [])
    lanes.more()
    assert take_all(lanes, 1.0, [*range(1, 500), 1001, 1002]) == [1001, 1, 1002]


# --- parking ----------------------------------------------------------------------------------------


def test_a_parked_entry_waits_and_comes_first_again() -> None:
    """Others go meanwhile; when its time has come it is the oldest."""
    lanes = Lanes(0, max_per_s=0)
    hold(lanes, [1, 2, 3])
    bad = lanes.oldest(0.0)
    assert isinstance(bad, Held) and lanes.park(bad, 10.0)
    second = lanes.oldest(0.0)
    assert isinstance(second, Held) and second.entry.id == 2
    again = lanes.oldest(10.0)
    assert again is bad and again.n_refusals == 1


def test_parked_entries_are_bounded_and_block_nothing() -> None:
    """Beyond the limit they rest in the queue, behind those that were not tried yet."""
    lanes, n_bad = Lanes(0, max_per_s=0), MAX_PARKED + CLAIM_AT_ONCE
    queue, sent = list(range(1, n_bad + 11)), []
    while True:
        todo = lanes.alternating(0.0)
        if isinstance(todo, Claim):
            serve(lanes, todo, queue)
        elif todo is None:
            break
        elif todo.entry.id <= n_bad:
            if not lanes.park(todo, 300.0):
                queue.append(todo.entry.id)
        else:
            lanes.remove(todo)
            sent.append(todo.entry.id)
    assert sent == list(range(n_bad + 1, n_bad + 11))
    assert len(lanes.ids()) == MAX_PARKED and len(queue) == CLAIM_AT_ONCE
    assert lanes.wake_at() == 300.0
    assert len(take_all(lanes, 300.0, queue)) == n_bad


def test_on_failure_the_untried_leave_the_hand() -> None:
    """What was refused or is in flight stays; the rest can be folded in the queue."""
    lanes = Lanes(0, max_per_s=0)
    hold(lanes, [1, 2, 3, 4])
    assert lanes.wake_at() == -inf
    refused, flying = lanes.oldest(0.0), lanes.oldest(0.0)
    assert isinstance(refused, Held) and isinstance(flying, Held)
    lanes.park(refused, 10.0)
    assert lanes.drop_fresh() == [3, 4]
    assert sorted(lanes.ids()) == [1, 2]
    assert isinstance(lanes.oldest(0.0), Claim)


def test_hurry() -> None:
    """After a change of the network no entry waits beyond the jitter."""
    lanes = Lanes(0, max_per_s=0)
    hold(lanes, [1])
    held = lanes.oldest(0.0)
    assert isinstance(held, Held)
    lanes.park(held, 300.0)
    lanes.hurry(4.0)
    assert lanes.oldest(3.9) is None and lanes.oldest(4.0) is held
