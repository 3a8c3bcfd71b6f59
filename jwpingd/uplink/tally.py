"""What has happened so far, for those who ask."""

from __future__ import annotations

from collections import Counter
from math import inf


class Tally:
    """Counts since the start, and the last outcome.  `last_success_s` is boottime, infinite for never."""

    def __init__(self) -> None:
        self.n_delivered = 0
        self.n_set_aside = 0
        self.retries: Counter[str] = Counter()
        self.last_success_s = inf
        self.last_error = ""
        self.is_certificate_error = False
        self._reasons_told: set[str] = set()

    def delivered(self, now_s: float) -> None:
        """The collector took a ping."""
        self.n_delivered += 1
        self.last_success_s = now_s
        self.ended_with("")

    def set_aside(self, reason: str) -> bool:
        """The collector refused a ping for ever; whether it is the first for that reason."""
        self.n_set_aside += 1
        self.ended_with(reason)
        is_first = reason not in self._reasons_told
        self._reasons_told.add(reason)
        return is_first

    def retried(self, reason: str, text: str, *, is_certificate_error: bool = False) -> None:
        """A ping must be tried again."""
        self.retries[reason] += 1
        self.ended_with(text, is_certificate_error=is_certificate_error)

    def ended_with(self, text: str, *, is_certificate_error: bool = False) -> None:
        """The last outcome: an error, or "" for success."""
        self.last_error = text
        self.is_certificate_error = is_certificate_error
