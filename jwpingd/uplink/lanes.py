"""Which ping goes next: the entries in hand, in two lanes, each at its own pace.  Pure.

The *backlog* lane has the entries that were there when the link last came up, the *live* lane the
later ones.  Within a lane the oldest goes first; where both have something ready they take turns,
so neither starves the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from jwpingd.spool import Entry

CLAIM_AT_ONCE = 128
"""Entries.  A claim is a commit, during which nothing starts; but what is claimed cannot be folded."""

MAX_PARKED = 64  # entries of at most 6 KiB that wait on their own backoff in memory
MAX_RESTING = 1024  # ids, 100 KB; a refused entry beyond that counts as never refused


class Held:
    """One claimed entry.  `n_refusals`: how often the collector was reached and did not take it."""

    def __init__(self, entry: Entry, n_refusals: int) -> None:
        self.entry = entry
        self.n_refusals = n_refusals
        self.not_before_s = -inf
        self.is_in_flight = False


class Claim(NamedTuple):
    """Ask the queue, at `at_s`, for at most `limit` entries with `after_id` < id <= `to_id`."""

    lane: Lane
    at_s: float
    limit: int
    after_id: int
    to_id: int | None


class Pace:
    """At most `per_s` a second in the long run, `burst` of them at once; `per_s` 0 is no limit.

    The generic cell rate algorithm: one number, so nothing is lost by rounding.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._interval_s = 1 / per_s if per_s else 0.0
        self._tolerance_s = self._interval_s * (max(burst, 1.0) - 1.0)
        self._spent_until_s = -inf

    def ready_at(self) -> float:
        """When the next one may go."""
        return self._spent_until_s - self._tolerance_s

    def take(self, now_s: float) -> None:
        """One goes now.  Ask `ready_at` first."""
        self._spent_until_s = max(self._spent_until_s, now_s) + self._interval_s


class Lane:
    """One of the two.

    Entries up to `skip_to_id` were refused and found no room in hand.  They rest in the queue, at
    least until all behind them had their turn (`look_again_s` is infinite before that).
    """

    def __init__(self, pace: Pace, opens_at_s: float) -> None:
        self.pace = pace
        self._opens_at_s = opens_at_s
        self.may_have_more = True
        self.skip_to_id = 0
        self.look_again_s = inf

    def open_at(self) -> float:
        """When this lane may send next."""
        return max(self.pace.ready_at(), self._opens_at_s)

    def came_to_end(self, look_again_s: float) -> None:
        """Nothing is left but what is skipped, if anything is."""
        self.may_have_more = False
        if self.skip_to_id and self.look_again_s == inf:
            self.look_again_s = look_again_s

    def look_again(self) -> None:
        """Nothing is skipped any more, and there may be more."""
        self.may_have_more = True
        self.skip_to_id = 0
        self.look_again_s = inf


class Lanes:
    """Ids up to `boundary_id` are backlog.  `hold_backlog_until_s` keeps that lane shut until then.

    `rest_s` is how long entries rest that were refused and found no room in hand.
    """

    def __init__(
        self,
        boundary_id: int,
        *,
        max_per_s: float,
        rest_s: float = 300.0,
        hold_backlog_until_s: float = -inf,
    ) -> None:
        self._boundary_id = boundary_id
        self._rest_s = rest_s
        # A backlog leaves evenly; what happens now may use a second's worth at once.
        self._backlog = Lane(Pace(max_per_s, burst=1), hold_backlog_until_s)
        self._live = Lane(Pace(max_per_s, burst=max_per_s), -inf)
        self._last = self._backlog
        self._held: dict[int, Held] = {}
        self._n_refusals_of_resting: dict[int, int] = {}

    # --- what next ----------------------------------------------------------------------------

    def alternating(self, now_s: float, limit: int = CLAIM_AT_ONCE) -> Held | Claim | None:
        """What to do now: send this entry, claim at most `limit` others, or nothing."""
        order = (self._live, self._backlog) if self._last is self._backlog else (self._backlog, self._live)
        return self._next(order, now_s, limit)

    def oldest(self, now_s: float) -> Held | Claim | None:
        """The same, one entry at a time, and the backlog first: for probes of a dead link."""
        return self._next((self._backlog, self._live), now_s, 1)

    def wake_at(self) -> float:
        """When there may be something to do; infinite while nothing is known to wait."""
        return min(self._wake_at(self._backlog), self._wake_at(self._live))

    def _next(self, order: Iterable[Lane], now_s: float, limit: int) -> Held | Claim | None:
        for lane in order:
            if lane.look_again_s <= now_s:
                lane.look_again()
            if lane.open_at() > now_s:
                continue
            held = self._first_due(lane, now_s)
            if held is not None:
                lane.pace.take(now_s)
                self._last = lane
                held.is_in_flight = True
                return held
            if lane.may_have_more:
                return self._claim(lane, now_s, limit)
        return None

    def _first_due(self, lane: Lane, now_s: float) -> Held | None:
        due = (held for held in self._waiting(lane) if held.not_before_s <= now_s)
        return min(due, key=lambda held: held.entry.id, default=None)

    def _waiting(self, lane: Lane) -> Iterable[Held]:
        return (
            held
            for held in self._held.values()
            if not held.is_in_flight and self._lane_of(held.entry.id) is lane
        )

    def _wake_at(self, lane: Lane) -> float:
        due_s = min((held.not_before_s for held in self._waiting(lane)), default=inf)
        if lane.may_have_more:
            due_s = -inf
        due_s = min(due_s, lane.look_again_s)
        return due_s if due_s == inf else max(due_s, lane.open_at())

    def _lane_of(self, entry_id: int) -> Lane:
        return self._backlog if entry_id <= self._boundary_id else self._live

    # --- claiming -----------------------------------------------------------------------------

    def _claim(self, lane: Lane, now_s: float, limit: int) -> Claim:
        if lane is self._backlog:
            return Claim(lane, now_s, limit, lane.skip_to_id, self._boundary_id)
        # Older entries become sendable when the clock becomes known: one claim finds them as well.
        low_id = self._backlog.skip_to_id if self._is_drained() else self._boundary_id
        return Claim(lane, now_s, limit, lane.skip_to_id or low_id, None)

    def _is_drained(self) -> bool:
        return not self._backlog.may_have_more and not any(
            self._lane_of(entry_id) is self._backlog for entry_id in self._held
        )

    def claimed(self, claim: Claim, entries: Sequence[Entry], last_id: int) -> None:
        """The queue gave `entries` for `claim`; `last_id` is the highest id it has given out."""
        # Before its store is known the queue may name a number far too high.
        self._boundary_id = min(self._boundary_id, last_id)
        if len(entries) < claim.limit:
            claim.lane.came_to_end(claim.at_s + self._rest_s)
        for entry in entries:
            self._held[entry.id] = Held(entry, self._n_refusals_of_resting.pop(entry.id, 0))
            if claim.lane is self._live and self._lane_of(entry.id) is self._backlog:
                self._backlog.may_have_more = self._live.may_have_more

    def more(self) -> None:
        """Something was put into the queue, or became sendable."""
        self._live.may_have_more = True
        self._backlog.may_have_more = not self._is_drained()

    # --- what became of them ------------------------------------------------------------------

    def remove(self, held: Held) -> None:
        """The entry is settled, or in the queue's hands again."""
        self._held.pop(held.entry.id, None)

    def park(self, held: Held, not_before_s: float) -> bool:
        """The entry was refused and waits; False if there is no room: it is out of hand and rests."""
        held.is_in_flight = False
        held.n_refusals += 1
        held.not_before_s = not_before_s
        if sum(1 for other in self._held.values() if other.n_refusals) <= MAX_PARKED:
            return True
        self._rest(held)
        return False

    def _rest(self, held: Held) -> None:
        self.remove(held)
        lane = self._lane_of(held.entry.id)
        lane.skip_to_id = max(lane.skip_to_id, held.entry.id)
        resting = self._n_refusals_of_resting
        if len(resting) >= MAX_RESTING:
            del resting[next(iter(resting))]
        resting[held.entry.id] = held.n_refusals

    def drop_fresh(self) -> list[int]:
        """The link failed: what was not tried yet leaves the hand; the ids.

        In the queue it can still be folded, or purged, while nothing can be sent anyway.
        """
        fresh = [held for held in self._held.values() if not held.is_in_flight and not held.n_refusals]
        for held in fresh:
            self.remove(held)
        self._backlog.may_have_more = self._live.may_have_more = True
        return [held.entry.id for held in fresh]

    def link_came_up(self, last_id: int, per_s: float) -> None:
        """Everything up to `last_id` is backlog now, at `per_s`.  What rests there goes on resting."""
        self._boundary_id = last_id
        self._backlog.pace = Pace(per_s, burst=1)
        self._backlog.may_have_more = True
        self._live.look_again()

    def hurry(self, latest_s: float) -> None:
        """No entry in hand waits beyond `latest_s`."""
        for held in self._held.values():
            held.not_before_s = min(held.not_before_s, latest_s)

    def ids(self) -> list[int]:
        """Everything in hand, in flight or not."""
        return list(self._held)

    def held(self) -> list[Held]:
        """The same, with all that is known of them."""
        return list(self._held.values())
