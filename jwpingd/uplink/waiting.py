"""Two ways to wait: until a moment or a ring, and for new entries."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import trio

from jwpingd.uplink.ports import Clock, Queue


class Bell:
    """Lets one task sleep until a moment, or until somebody rings.  A ring before the sleep counts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._has_rung = False
        self._sleep = trio.CancelScope()

    def ring(self) -> None:
        """End the sleep."""
        self._has_rung = True
        self._sleep.cancel()

    async def wait(self, until_s: float) -> None:
        """Sleep until then (boottime; infinite: only until a ring)."""
        with trio.CancelScope() as self._sleep:
            if self._has_rung:
                await trio.lowlevel.checkpoint()
            elif until_s == inf:
                await trio.sleep_forever()
            else:
                await self._clock.sleep_until(until_s)
        self._has_rung = False


class Watch:
    """Waits at the queue for new entries, but only while one would be tried at once.

    The queue relies on that: what is put while somebody waits is marked as tried in the same commit.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._is_wanted = False
        self._started = trio.Event()
        self._waiting = trio.CancelScope()

    def start(self) -> None:
        """Wait for entries that the last claim did not see."""
        self._is_wanted = True
        self._started.set()

    def stop(self) -> None:
        """Stop waiting."""
        self._is_wanted = False
        self._waiting.cancel()

    async def run(self, tell: Callable[[], None]) -> None:
        """Call `tell` once for each `start` that found something; for ever."""
        while True:
            while not self._is_wanted:
                self._started = trio.Event()
                await self._started.wait()
            with trio.CancelScope() as self._waiting:
                await self._queue.wait_for_more()
                self._is_wanted = False
                tell()
