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


class BoxDevice:
    """Call it for the device as it is now; `monotonic_s` is any clock that never goes back.

    Language and time zone are a few small files, so they are read where a play begins, without a thread.
    """

    def __init__(
        self, config: Config, root: Path, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = config.device
        self._root = root
        self._monotonic_s = monotonic_s
        self._detected: Device | None = None
        self._second_ends_s = 0.0
        self._n_renewals = 0

    def __call__(self) -> Device:
        """What is known now, with what is configured in its place."""
        from jwpingd import platforms

        may_renew = self._may_renew()
        if self._detected is None:
            self._detected = platforms.detect(self._root)
        elif may_renew:
            self._detected = platforms.renewed(self._detected, self._root)
        return overridden(self._detected, self._settings)

    def _may_renew(self) -> bool:
        now_s = self._monotonic_s()
        if now_s >= self._second_ends_s:
            self._second_ends_s, self._n_renewals = now_s + 1, 0
        self._n_renewals += 1
        return self._n_renewals <= MAX_RENEWALS_PER_S
