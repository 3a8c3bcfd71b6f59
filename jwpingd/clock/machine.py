"""The clock as the rest of the program sees it: moments, trust, and waits.

It does not know who keeps the last trusted time on flash, nor when the evidence should be read
again: the daemon does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from jwpingd.clock import reading, timers
from jwpingd.clock.trust import BUILD_MS, ClockState, Evidence, judge
from jwpingd.moment import Moment

STEP_MS = 1500
"""Wall minus boottime moves only when the clock is set, or by 1000 ms at a leap second."""

FIRST_LOOK_S, MAX_LOOK_S = 1.0, 60.0
"""While the clock is not trusted: 1, 2, 4 … 60 s between looks.  A time service that slews the clock
instead of setting it gives no other sign."""


class Readers(Protocol):
    """All that the clock asks of the box; tests put virtual time here."""

    def wall_ms(self) -> int: ...
    def boottime_ms(self) -> int: ...
    def boot_id(self) -> str: ...
    def is_timesync_flag_set(self) -> bool: ...
    def is_kernel_synchronised(self) -> bool | None: ...
    async def wait_for_step(self, has_stepped: Callable[[], bool]) -> None: ...
    async def sleep_until_boot_ms(self, boot_ms: int) -> None: ...


class SystemReaders:
    """The box itself."""

    wall_ms = staticmethod(reading.wall_ms)
    boottime_ms = staticmethod(reading.boottime_ms)
    boot_id = staticmethod(reading.boot_id)
    is_timesync_flag_set = staticmethod(reading.is_timesync_flag_set)
    is_kernel_synchronised = staticmethod(reading.is_kernel_synchronised)
    wait_for_step = staticmethod(timers.wait_for_step)
    sleep_until_boot_ms = staticmethod(timers.sleep_until_boot_ms)


class Clock:
    """Tells the moment, and whether the wall clock can be believed.

    `trust` is "auto" or "always".  `is_collector_local`: the collector listens on loopback.
    `last_trusted_ms` is what an earlier run stored, 0 if there was none.
    """

    def __init__(
        self,
        readers: Readers | None = None,
        *,
        trust: str = "auto",
        is_collector_local: bool = False,
        last_trusted_ms: int = 0,
        build_ms: int = BUILD_MS,
    ) -> None:
        self._readers: Readers = SystemReaders() if readers is None else readers
        self._is_always = trust == "always"
        self._is_collector_local = is_collector_local
        self._last_trusted_ms = last_trusted_ms
        self._build_ms = build_ms
        self._collector_offset_ms: float | None = None
        self._judge()
        self._reported = self._state

    def now(self) -> Moment:
        """This moment; its wall time is None while the clock is not trusted."""
        boot_ms, wall_ms = self._readers.boottime_ms(), self._readers.wall_ms()
        if abs(wall_ms - boot_ms - self._judged_offset_ms) > STEP_MS:
            # The clock was set since we judged it: what spoke for it may no longer.
            self._judge()
        return Moment(self._readers.boot_id(), boot_ms, wall_ms if self.is_trusted else None)

    def guess_now(self) -> int:
        """The wall clock as it is, Unix ms, right or wrong."""
        return self._readers.wall_ms()

    def offset_ms(self) -> int:
        """Wall clock minus boottime, as they are now: `sa` = a boottime of this boot + this."""
        return self._readers.wall_ms() - self._readers.boottime_ms()

    @property
    def state(self) -> ClockState:
        return self._state

    @property
    def is_trusted(self) -> bool:
        return self._state.name == "trusted"

    @property
    def last_trusted_ms(self) -> int:
        """The last wall time that was trusted, Unix ms; to be stored and given back at the next start."""
        return self.guess_now() if self.is_trusted else self._last_trusted_ms

    def refresh(self) -> bool:
        """Read the evidence again.  True if the state's name is not what the last `refresh` left."""
        self._judge()
        before, self._reported = self._reported, self._state
        return before.name != self._state.name

    def note_collector_date(self, epoch_s: float) -> bool:
        """Take in the Date of an answer that came over verified TLS just now; then as `refresh`."""
        if math.isfinite(epoch_s):
            # Kept against boottime, so that it still tells the truth after the wall clock is set.
            self._collector_offset_ms = epoch_s * 1000 - self._readers.boottime_ms()
        return self.refresh()

    async def wait_for_change(self, known: ClockState) -> ClockState:
        """Return the state as soon as its name is not that of `known`.

        While the clock is trusted only a step wakes this up; before, it looks after 1, 2, 4 … 60 s.
        """
        import trio

        look_s = FIRST_LOOK_S
        while self._state.name == known.name:
            if self.is_trusted:
                await self.wait_for_step()
            else:
                with trio.move_on_after(look_s):
                    await self.wait_for_step()
                look_s = min(2 * look_s, MAX_LOOK_S)
            self._judge()
        return self._state

    async def wait_for_step(self) -> None:
        """Return when the wall clock was set, with the state judged anew.  May return after standby too."""
        await self._readers.wait_for_step(self._has_stepped)
        self._judge()

    async def sleep_until_boot_ms(self, boot_ms: int) -> None:
        """Return when boottime has reached `boot_ms`.  Standby counts; at once if it is past."""
        await self._readers.sleep_until_boot_ms(boot_ms)

    def _has_stepped(self) -> bool:
        return abs(self.offset_ms() - self._judged_offset_ms) > STEP_MS

    def _judge(self) -> None:
        wall_ms, boot_ms = self._readers.wall_ms(), self._readers.boottime_ms()
        self._judged_offset_ms = wall_ms - boot_ms
        skew_s = None
        if self._collector_offset_ms is not None:
            skew_s = (wall_ms - boot_ms - self._collector_offset_ms) / 1000
        self._state = judge(
            Evidence(
                is_timesync_flag_set=self._readers.is_timesync_flag_set(),
                is_kernel_synchronised=self._readers.is_kernel_synchronised(),
                collector_skew_s=skew_s,
                is_always=self._is_always,
                is_collector_local=self._is_collector_local,
                wall_ms=wall_ms,
                earliest_plausible_ms=max(self._build_ms, self._last_trusted_ms),
            )
        )
        if self.is_trusted:
            # Downwards too: a stored time that was wrong must not outlive the clock's being right.
            self._last_trusted_ms = wall_ms
