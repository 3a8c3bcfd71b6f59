"""The way to the collector: up, doubted, or down, and when it may be tried next.  Pure.

The law: while the last try failed, one probe at a time goes out; any answer that settles a ping
brings the link up.  One failure is an accident, two in a row are a link that is down.

All moments are seconds on the suspend-proof clock and are handed in, like the random fractions.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import NamedTuple

from jwpingd.retry import backoff_s

NETWORK_JITTER_S = 4.0  # Boxes that get their network back together spread their first try over this.


class Change(Enum):
    """What an outcome changed for those who watch the link."""

    NONE = "none"
    WENT_DOWN = "went down"
    CAME_UP = "came up"


class Try(NamedTuple):
    """One GET that was started.  `era` tells whether the link has changed since."""

    era: int
    is_probe: bool


class Link:
    """`n_failures` tries in a row have failed; at 0 the link is up, from 2 on it is down.

    `is_reachable`: the last try got as far as the collector, so the next one had better be another ping.
    A `Retry-After` holds everything until `held_until_s`, whatever changes on the network.
    Every `start` is answered by exactly one of `answered`, `unreachable`, `refused`, `abandoned`.
    """

    def __init__(self, *, first_s: float, max_s: float) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self.n_failures = 0
        self._n_unanswered = 0  # questions for the time, in a row; they hold no ping back
        self.is_reachable = True
        self._n_steps = 0  # of our backoff; repeated refusals of one ping do not add to them
        self._era = 0
        self._is_probe_out = False
        self._due_s = -inf
        self.held_until_s = -inf
        self.failing_since_s = inf  # when the failures that go on, or that ended last, began

    @property
    def is_up(self) -> bool:
        """The last try went well, or there was none."""
        return self.n_failures == 0

    @property
    def is_online(self) -> bool:
        """Not known to be down; what people are told."""
        return max(self.n_failures, self._n_unanswered) < 2

    def start_at(self) -> float:
        """The earliest moment a try may start; infinite while a probe is out."""
        if self.n_failures and self._is_probe_out:
            return inf
        return max(self._due_s, self.held_until_s)

    def start(self) -> Try:
        """A try starts now.  Ask `start_at` first."""
        is_probe = not self.is_up
        self._is_probe_out |= is_probe
        return Try(self._era, is_probe)

    def abandoned(self, a_try: Try) -> None:
        """The try ended without a word about the link: it was cancelled, or nothing could be sent."""
        if a_try.is_probe:
            self._is_probe_out = False

    def answered(self, a_try: Try) -> Change:
        """The collector settled a ping, for good or ill."""
        self.abandoned(a_try)
        self._n_unanswered = 0
        if self.is_up:
            return Change.NONE
        was_online = self.is_online
        self._era += 1
        self.n_failures = self._n_steps = 0
        self.is_reachable = True
        self._due_s = -inf
        return Change.NONE if was_online else Change.CAME_UP

    def asked(self, *, is_answered: bool) -> bool:
        """The collector was asked for its time, not sent a ping; whether people are told otherwise now."""
        was_online = self.is_online
        self._n_unanswered = 0 if is_answered else self._n_unanswered + 1
        return self.is_online is not was_online

    def unreachable(self, a_try: Try, now_s: float, fraction: float) -> Change:
        """No connection came about: the link backs off, whichever ping was tried."""
        self.abandoned(a_try)
        if a_try.era != self._era:
            return Change.NONE  # It was on its way before the link last changed: old news.
        self.is_reachable = False
        self._n_steps += 1
        self._due_s = now_s + backoff_s(self._n_steps, self._first_s, self._max_s, fraction)
        return self._failed(now_s)

    def refused(
        self,
        a_try: Try,
        now_s: float,
        fraction: float,
        *,
        n_refusals_before: int,
        retry_after_s: float | None = None,
    ) -> Change:
        """The collector was reached but did not take the ping, which now waits on its own backoff.

        1. `Retry-After` holds everything, whatever else is known.
        2. A ping that was refused before says nothing new while others get through.
        3. The first ping refused is doubted, not the link: the next one is tried at once.
        4. Each further ping refused for its first time makes the link back off.
        """
        self.abandoned(a_try)
        if retry_after_s is not None:
            self.held_until_s = max(self.held_until_s, now_s + retry_after_s)
        if a_try.era != self._era or (self.is_up and n_refusals_before):
            return Change.NONE
        self.is_reachable = True
        if not n_refusals_before:
            self._n_steps += 1
            self._due_s = now_s + backoff_s(self._n_steps - 1, self._first_s, self._max_s, fraction)
        return self._failed(now_s)

    def network_changed(self, now_s: float, fraction: float) -> float:
        """Forget our backoff: the latest moment of the next try, but for a `Retry-After`."""
        latest_s = now_s + NETWORK_JITTER_S * fraction
        if not self.is_up:
            self._era += 1
            self._n_steps = 0
            self._due_s = min(self._due_s, latest_s)
        return latest_s

    def _failed(self, now_s: float) -> Change:
        was_online = self.is_online
        if self.is_up:
            self.failing_since_s = now_s
        self._era += 1
        self.n_failures += 1
        return Change.WENT_DOWN if was_online and not self.is_online else Change.NONE
