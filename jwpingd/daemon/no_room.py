"""Tells the log that pings were dropped for want of room: when it begins, then a sum an hour.

Told with each commit, and never by looking: an idle daemon stays asleep.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

_log = logging.getLogger("jwpingd")

SUM_EVERY_MS = 3_600_000  # An offline box may drop some at every commit, for weeks.


class NoRoom:
    """`boot_ms` tells the time.  `what_is_full` names the setting that bounds it, too."""

    def __init__(self, boot_ms: Callable[[], int], what_is_full: Callable[[], str]) -> None:
        self._boot_ms = boot_ms
        self._what_is_full = what_is_full
        self._n_told = 0
        self._quiet_until_ms: int | None = None

    def begin(self, n_dropped: int) -> None:
        """So many were dropped before this run of the daemon."""
        self._n_told = n_dropped

    def note(self, n_dropped: int) -> None:
        """So many were dropped so far, over all runs."""
        if n_dropped <= self._n_told:
            return
        now_ms = self._boot_ms()
        if self._quiet_until_ms is None or now_ms >= self._quiet_until_ms:
            self._tell(n_dropped)
            self._quiet_until_ms = now_ms + SUM_EVERY_MS

    def end(self, n_dropped: int) -> None:
        """The daemon stops: what was not told yet."""
        if n_dropped > self._n_told:
            self._tell(n_dropped)

    def _tell(self, n_dropped: int) -> None:
        n, when = n_dropped - self._n_told, "so far" if self._quiet_until_ms is None else "more"
        _log.warning("%s: the oldest pings are dropped to make room, %d %s", self._what_is_full(), n, when)
        self._n_told = n_dropped
