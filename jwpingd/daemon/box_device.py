"""The box itself as pings tell of it: detected once, with what the viewer may change read again.

The tables of platforms are imported with the first look, which is the first player's, in its thread:
the daemon starts without them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from jwpingd.config import Config, overridden
from jwpingd.device import Device

MAX_RENEWALS_PER_S = 20
"""A viewer's plays all find the box as it is now; a player that begins a thousand a second does not."""

_UNSEEN = Device("unseen")


class BoxDevice:
    """Let it `look`, in a thread: even /sys can keep a reader waiting.  Call it for the device as it is now.

    Before a look, `known` is all that there is to tell.  `monotonic_s` is any clock that never goes back.
    Language and time zone are a few small files, so they are read where a play begins, without a thread.
    """

    def __init__(
        self,
        config: Config,
        root: Path,
        *,
        known: Device = _UNSEEN,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_seen = False
        self._settings = config.device
        self._root = root
        self._monotonic_s = monotonic_s
        self._known = known
        self._found: Device | None = None
        self._second_ends_s = 0.0
        self._n_renewals = 0

    def again(self, config: Config) -> BoxDevice:
        """For another configuration: what is known stays until the next look."""
        return BoxDevice(config, self._root, known=self._known, monotonic_s=self._monotonic_s)

    def look(self) -> None:
        """Find out what box this is, unless somebody has."""
        if not self.is_seen:
            from jwpingd import platforms

            self._found = platforms.detect(self._root)
            self.is_seen = True

    def __call__(self) -> Device:
        """What is known now, with what is configured in its place."""
        if self._found is not None:
            self._known, self._found = self._found, None
        if self._may_renew() and self._known is not _UNSEEN:
            from jwpingd import platforms

            self._known = platforms.renewed(self._known, self._root)
        return overridden(self._known, self._settings)

    def _may_renew(self) -> bool:
        now_s = self._monotonic_s()
        if now_s >= self._second_ends_s:
            self._second_ends_s, self._n_renewals = now_s + 1, 0
        self._n_renewals += 1
        return self._n_renewals <= MAX_RENEWALS_PER_S
