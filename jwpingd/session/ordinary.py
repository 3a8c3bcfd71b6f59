"""How an ordinary play (one with a duration) is watched: content seconds and thresholds (§5.4, §5.6)."""

from __future__ import annotations

from dataclasses import dataclass

from jwpingd.session import quantiles

FIRST_ALLOWANCE_MS = 2_000  # at the first tick and at every seeked
_CARRIED_ALLOWANCE_MS = 10_000  # of what was not used, from one tick to the next
_LONGEST_WAIT_MS = 30_000  # a longer silence allows no more progress
_JITTER_MS = 1_000  # so far back a position may tremble without a jump
_FASTEST_RATE = 2  # faster than this is trick play, not watching


@dataclass(slots=True)
class Ordinary:
    """The last counted position and what may plausibly follow it.

    `allowance_ms` is how far playback can have come since; `n_passed` thresholds need no `t` any more;
    `is_position_unknown` after a seek that named no offset, until the next counted tick.
    """

    duration_ms: int
    position_ms: int
    tick_ms: int
    n_passed: int
    allowance_ms: int = FIRST_ALLOWANCE_MS
    is_position_unknown: bool = False

    @classmethod
    def started(cls, duration_ms: int, position_ms: int, now_ms: int) -> Ordinary:
        """From the first tick on.  Thresholds at or before the starting position count as passed."""
        return cls(duration_ms, position_ms, now_ms, quantiles.n_reached(position_ms, duration_ms))

    def tick(self, position_ms: int, rate: float, now_ms: int) -> int:
        """Take one tick; the milliseconds it credits."""
        if self.is_position_unknown:
            self.is_position_unknown = False
            self._move(position_ms)
            self.tick_ms = now_ms
            return 0
        progress_ms = position_ms - self.position_ms
        if -_JITTER_MS <= progress_ms <= 0:
            return 0
        wait_ms = min(now_ms - self.tick_ms, _LONGEST_WAIT_MS)
        self.allowance_ms = min(self.allowance_ms, _CARRIED_ALLOWANCE_MS) + 2 * wait_ms
        self.tick_ms = now_ms
        if progress_ms < 0 or progress_ms > self.allowance_ms or not 0 < rate <= _FASTEST_RATE:
            self._move(position_ms)
            self.allowance_ms = 0
            return 0
        self.position_ms = position_ms
        self.allowance_ms -= progress_ms
        return progress_ms

    def seek(self, offset_ms: int | None) -> None:
        """A seek began.  A threshold that was reached but not yet reported is dropped."""
        self.is_position_unknown = offset_ms is None
        self._move(self.position_ms if offset_ms is None else offset_ms)

    def seeked(self, now_ms: int) -> None:
        """Ticks count again."""
        self.allowance_ms = FIRST_ALLOWANCE_MS
        self.tick_ms = now_ms

    def resume(self, now_ms: int) -> None:
        """`play`: the time before it allows no progress."""
        self.tick_ms = now_ms

    def pass_thresholds(self) -> int | None:
        """The `pw` of the highest threshold that was reached and not reported; it counts as passed now."""
        n_quantiles = quantiles.n_quantiles(self.duration_ms)
        if self.position_ms * n_quantiles < (self.n_passed + 1) * self.duration_ms:
            return None  # Nearly every tick ends here, at no threshold.
        n_reached = quantiles.n_reached(self.position_ms, self.duration_ms)
        if n_reached <= self.n_passed:
            return None
        self.n_passed = n_reached
        return quantiles.threshold_128ths(n_reached, self.duration_ms)

    @property
    def n_quantiles(self) -> int:
        """q of this play."""
        return quantiles.n_quantiles(self.duration_ms)

    @property
    def position_128ths(self) -> int:
        """Where the play stands, for its `gab`."""
        return quantiles.position_128ths(self.position_ms, self.duration_ms)

    def _move(self, position_ms: int) -> None:
        self.position_ms = position_ms
        self.n_passed = quantiles.n_reached(position_ms, self.duration_ms)
