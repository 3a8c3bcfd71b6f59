"""The box itself as pings tell of it: detected once, with what the viewer may change read again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from jwpingd import platforms
from jwpingd.config import Config, overridden
from jwpingd.device import Device

RENEW_S = 0.05
"""Every play of a viewer finds it as it is now; a player that begins a thousand a second does not."""


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
        self._detected = platforms.detect(root)
        self._renew_at_s = monotonic_s() + RENEW_S

    def __call__(self) -> Device:
        """What is known now, with what is configured in its place."""
        now_s = self._monotonic_s()
        if now_s >= self._renew_at_s:
            self._detected = platforms.renewed(self._detected, self._root)
            self._renew_at_s = now_s + RENEW_S
        return overridden(self._detected, self._settings)
