"""Whether everything that must turn does turn, for systemd's watchdog.

That the event loop turns is shown by this task's running at all.  The loops of writer and uplink are
nudged at one look and must have gone round by the next.  While a call on flash is under way they may
wait for it: a restart would not make flash faster, and would wait for the same call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

import trio

_log = logging.getLogger("jwpingd.watchdog")


class Turning(Protocol):
    """A loop that goes round when it is nudged."""

    n_rounds: int

    def nudge(self) -> None:
        """Make it go round once."""


class Watchdog:
    """`loops` gives those that run now, by name; `is_flash_busy` whether they may be waiting for flash."""

    def __init__(self, loops: Callable[[], Mapping[str, Turning]], is_flash_busy: Callable[[], bool]) -> None:
        self._loops = loops
        self._is_flash_busy = is_flash_busy
        self._seen: dict[Turning, int] = {}

    async def run(self, interval_s: float, feed: Callable[[], object]) -> None:
        """Call `feed` at every look that finds nothing stuck; until cancelled."""
        while True:
            stuck = self.look()
            if stuck:
                _log.critical("%s: no answer for %.0f s; systemd will restart us", stuck, interval_s)
            else:
                feed()
            await trio.sleep(interval_s)

    def look(self) -> str:
        """The loops that did not turn since they were nudged last; "" for none.  Nudges them again."""
        loops = self._loops()
        stuck = [name for name, loop in loops.items() if self._seen.get(loop) == loop.n_rounds]
        if self._is_flash_busy():
            stuck = []
        self._seen = {loop: loop.n_rounds for loop in loops.values()}
        for loop in loops.values():
            loop.nudge()
        return " and ".join(stuck)
