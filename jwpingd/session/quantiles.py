"""Quantiles of an ordinary play: how many there are, and how many a position has reached (§4)."""

from __future__ import annotations

from functools import lru_cache

WHOLE_128THS = 128

_STEPS = ((30_000, 1), (60_000, 4), (180_000, 8), (300_000, 16))
"""(shorter than this, ms; quantiles)."""

_MOST = 32
"""Quantiles of anything longer."""


@lru_cache(maxsize=64)  # asked at every tick, of the few items that play
def n_quantiles(duration_ms: int) -> int:
    """q: 1 below 30 s, 4 below 60 s, 8 below 180 s, 16 below 300 s, else 32."""
    return next((n for below_ms, n in _STEPS if duration_ms < below_ms), _MOST)


def n_reached(position_ms: int, duration_ms: int) -> int:
    """How many thresholds lie at or before the position.  Threshold k of q lies at k × duration / q."""
    n = n_quantiles(duration_ms)
    return min(max(position_ms * n // duration_ms, 0), n)


def threshold_128ths(n_passed: int, duration_ms: int) -> int:
    """The `pw` of the threshold numbered `n_passed`."""
    return n_passed * WHOLE_128THS // n_quantiles(duration_ms)


def position_128ths(position_ms: int, duration_ms: int) -> int:
    """The `pw` of a position, kept within 0 … 128 (§5.9)."""
    return min(max(WHOLE_128THS * position_ms // duration_ms, 0), WHOLE_128THS)
