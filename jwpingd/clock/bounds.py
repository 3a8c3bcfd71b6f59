"""What the collector's `Date` says of the offset between boottime and the true time.  Pure.

A Date is cut to whole seconds, and was written at some moment between question and answer.  So it
gives bounds, and several of them narrower ones.
"""

from __future__ import annotations

from typing import NamedTuple

DATE_STEP_MS = 1000  # RFC 9110 §5.6.7: an HTTP date has no fractions.


class Bounds(NamedTuple):
    """True Unix time minus boottime is at least `low_ms` and at most `high_ms`."""

    low_ms: int
    high_ms: int

    @property
    def middle_ms(self) -> int:
        """The offset to take."""
        return (self.low_ms + self.high_ms) // 2

    @property
    def error_ms(self) -> int:
        """How wrong `middle_ms` can be."""
        return self.high_ms - self.middle_ms

    def narrowed(self, newer: Bounds) -> Bounds:
        """What both say; the newer alone where they contradict each other."""
        low_ms, high_ms = max(self.low_ms, newer.low_ms), min(self.high_ms, newer.high_ms)
        return Bounds(low_ms, high_ms) if low_ms <= high_ms else newer


def bounds_of_date(date_s: float, asked_boot_ms: int, answered_boot_ms: int) -> Bounds:
    """By a `Date` (Unix time) that came to a question, with the boottimes of question and answer."""
    date_ms = round(date_s * 1000)
    return Bounds(date_ms - answered_boot_ms, date_ms + DATE_STEP_MS - asked_boot_ms)
