"""What may go wrong between a box and its collector, on demand and repeatable."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Cut(Enum):
    """Whether the connection is reset, and when."""

    NEVER = "never"
    BEFORE_TAKING = "before taking"
    """The ping is lost on its way."""
    AFTER_TAKING = "after taking"
    """The ping was taken and its answer is lost: a duplicate must follow."""


class Fate(NamedTuple):
    """What happens to one request for a ping.  Only status 200 takes it."""

    status: int = 200
    cut: Cut = Cut.NEVER


class Weather:
    """Draws the fate of every request.  The same seed and order give the same fates.

    Shares are of 1 and exclude each other: `fail_shares` is status → share answered with it.
    `delay_s` comes before every answer; `offline_s` is how long after the start nobody listens.
    Raises ValueError for a share or a time that cannot be.
    """

    def __init__(
        self,
        *,
        fail_shares: Mapping[int, float] | None = None,
        reset_share: float = 0.0,
        lost_answer_share: float = 0.0,
        delay_s: float = 0.0,
        offline_s: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.delay_s = delay_s
        self.offline_s = offline_s
        self._random = random.Random(seed)
        self._odds = [
            (reset_share, Fate(cut=Cut.BEFORE_TAKING)),
            (lost_answer_share, Fate(cut=Cut.AFTER_TAKING)),
            *((share, Fate(status=status)) for status, share in (fail_shares or {}).items()),
        ]
        shares = [share for share, _fate in self._odds]
        if not all(0 <= share <= 1 for share in shares) or sum(shares) > 1 + 1e-9:
            raise ValueError(f"shares must lie between 0 and 1 and not exceed 1 together: {shares}")
        if not (0 <= delay_s < float("inf") and 0 <= offline_s < float("inf")):
            raise ValueError("times must be finite and not negative")

    def draw(self) -> Fate:
        """The next request's fate."""
        point = self._random.random()
        for share, fate in self._odds:
            if point < share:
                return fate
            point -= share
        return Fate()
