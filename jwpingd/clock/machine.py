"""The clock as the rest of the program sees it: moments, trust, and waits.

It does not know who keeps what was proven on flash, nor when the evidence should be read again: the
daemon does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from jwpingd.clock import reading, timers
from jwpingd.clock.bounds import Bounds, bounds_of_date
from jwpingd.clock.trust import BUILD_MS, STEP_MS, ClockState, Evidence, judge
from jwpingd.moment import Moment

FIRST_LOOK_S, MAX_LOOK_S = 1.0, 60.0
"""While the clock is not trusted: 1, 2, 4 … 60 s between looks.  A time service that slews the clock
instead of setting it gives no other sign."""

LOOK_EVERY_MS = 1000
"""How often asking for the moment looks at evidence that may have changed without a step."""

READ_TOGETHER_MS = 5
"""Two clocks that were read further apart than this (we were preempted, or in standby) are read again."""


class Readers(Protocol):
    """All that the clock asks of the box; tests put virtual time here."""

    def wall_ms(self) -> int: ...
    def boottime_ms(self) -> int: ...
    def monotonic_ms(self) -> int: ...
    def boot_id(self) -> str: ...
    def timesync_flag_ms(self) -> int | None: ...
    def is_kernel_synchronised(self) -> bool | None: ...
    async def wait_for_step(self, has_stepped: Callable[[], bool]) -> None: ...
    async def sleep_until_boot_ms(self, boot_ms: int) -> None: ...


class SystemReaders:
    """The box itself."""

    wall_ms = staticmethod(reading.wall_ms)
    boottime_ms = staticmethod(reading.boottime_ms)
    monotonic_ms = staticmethod(reading.monotonic_ms)
    boot_id = staticmethod(reading.boot_id)
    timesync_flag_ms = staticmethod(reading.timesync_flag_ms)
    is_kernel_synchronised = staticmethod(reading.is_kernel_synchronised)
    wait_for_step = staticmethod(timers.wait_for_step)
    sleep_until_boot_ms = staticmethod(timers.sleep_until_boot_ms)


class Clock:
    """Tells the moment, and whether the wall clock can be believed.

    `trust` is "auto" or "always".  `is_collector_local`: the collector listens on loopback.
    What an earlier run stored: `last_trusted_ms` (0 if nothing), and `proven_offset_ms` if it was in
    this boot.
    """

    def __init__(
        self,
        readers: Readers | None = None,
        *,
        trust: str = "auto",
        is_collector_local: bool = False,
        last_trusted_ms: int = 0,
        proven_offset_ms: int | None = None,
        build_ms: int = BUILD_MS,
    ) -> None:
        self._readers: Readers = SystemReaders() if readers is None else readers
        self._is_always = trust == "always"
        self._is_collector_local = is_collector_local
        self._last_trusted_ms = last_trusted_ms
        self._proven_offset_ms = proven_offset_ms
        self._build_ms = build_ms
        self._collector: Bounds | None = None
        self._is_certificate_out_of_time = False
        self._flag_ms = self._stale_flag_ms = None  # type: int | None
        self._judged_offset_ms: int | None = None
        self._judge()
        self._standby_seen_ms = self._standby_ms()

    def now(self) -> Moment:
        """This moment; its wall time is None while it cannot be known."""
        boot_ms, wall_ms = self._read()
        if self._is_worth_a_look(boot_ms, wall_ms - boot_ms):
            self._judge()
        offset_ms = self._state.offset_ms
        return Moment(self._readers.boot_id(), boot_ms, None if offset_ms is None else boot_ms + offset_ms)

    def boot_ms(self) -> int:
        """Boottime alone: nobody sets it, so there is nothing to judge, and it costs a fifth of `now`."""
        return self._readers.boottime_ms()

    def guess_now(self) -> int:
        """The wall clock as it is, Unix ms, right or wrong."""
        return self._readers.wall_ms()

    def offset_ms(self) -> int:
        """`sa` = a boottime of this boot + this: what is known, else the best guess there is."""
        if self._state.offset_ms is not None:
            return self._state.offset_ms
        if self._collector is not None:
            return self._collector.middle_ms
        boot_ms, wall_ms = self._read()
        return wall_ms - boot_ms

    @property
    def state(self) -> ClockState:
        """The verdict of the last look at the evidence."""
        return self._state

    @property
    def is_known(self) -> bool:
        """Whether the true time is known, by the wall clock or in spite of it."""
        return self._state.offset_ms is not None

    @property
    def last_trusted_ms(self) -> int:
        """The last time that was trusted, Unix ms; to be stored and given back at the next start."""
        return self.now().wall_ms or self._last_trusted_ms

    @property
    def proven_offset_ms(self) -> int | None:
        """What was proven in this boot; likewise."""
        return self._proven_offset_ms

    def refresh(self) -> ClockState:
        """Read the evidence again; the state by it."""
        self._judge()
        return self._state

    def note_answer(self, date_s: float | None, asked_boot_ms: int) -> ClockState:
        """The collector answered over verified TLS just now, with this Date or none; then as `refresh`.

        `asked_boot_ms` is the boottime before the question.
        """
        self._is_certificate_out_of_time = False
        if date_s is not None and math.isfinite(date_s):
            # Kept against boottime, so that it still tells the truth after the wall clock is set.
            newer = bounds_of_date(date_s, asked_boot_ms, self._readers.boottime_ms())
            self._collector = newer if self._collector is None else self._collector.narrowed(newer)
        return self.refresh()

    def note_certificate_out_of_time(self) -> ClockState:
        """The collector's certificate is expired or not yet valid by the wall clock; then as `refresh`."""
        self._is_certificate_out_of_time = True
        return self.refresh()

    async def wait_for_change(self, known: ClockState) -> ClockState:
        """Return the state as soon as its name, or the time it gives, is not that of `known`.

        While the clock is trusted only a step wakes this up; before, it looks after 1, 2, 4 … 60 s.
        """
        import trio

        look_s = FIRST_LOOK_S
        while not differs(self._state, known):
            if self._state.name == "trusted":
                await self.wait_for_step()
            else:
                with trio.move_on_after(look_s):
                    await self.wait_for_step()
                look_s = min(2 * look_s, MAX_LOOK_S)
            self._judge()
        return self._state

    async def wait_for_step(self) -> None:
        """Return when the wall clock was set, with the state judged anew.  Returns after standby too."""
        await self._readers.wait_for_step(self._has_stepped)
        self._judge()

    async def wait_for_wake(self) -> None:
        """Return when the box was in standby since the last call, or since the start."""
        while not self._has_slept():
            await self._readers.wait_for_step(lambda: self._has_stepped() or self._has_slept())
            self._judge()
        self._standby_seen_ms = self._standby_ms()

    async def sleep_until_boot_ms(self, boot_ms: int) -> None:
        """Return when boottime has reached `boot_ms`.  Standby counts; at once if it is past."""
        await self._readers.sleep_until_boot_ms(boot_ms)

    def _standby_ms(self) -> int:
        """How long the box has been in standby since it booted."""
        return self._readers.boottime_ms() - self._readers.monotonic_ms()

    def _has_slept(self) -> bool:
        return self._standby_ms() - self._standby_seen_ms >= timers.STANDBY_MS

    # --- judging ------------------------------------------------------------------------------

    def _read(self) -> tuple[int, int]:
        """(boottime, wall clock) of one moment."""
        for _ in range(3):
            boot_ms, wall_ms = self._readers.boottime_ms(), self._readers.wall_ms()
            if self._readers.boottime_ms() - boot_ms <= READ_TOGETHER_MS:
                break
        return boot_ms, wall_ms

    def _has_stepped(self) -> bool:
        boot_ms, wall_ms = self._read()
        return self._is_step(wall_ms - boot_ms)

    def _is_step(self, offset_ms: int) -> bool:
        return self._judged_offset_ms is not None and abs(offset_ms - self._judged_offset_ms) > STEP_MS

    def _is_worth_a_look(self, boot_ms: int, offset_ms: int) -> bool:
        """The clock was set; or the time in use is not the clock's, and a time service may vouch for it."""
        if self._is_step(offset_ms):
            return True
        used_ms = self._state.offset_ms
        is_at_rest = used_ms is not None and abs(offset_ms - used_ms) <= STEP_MS
        return not is_at_rest and boot_ms - self._judged_boot_ms >= LOOK_EVERY_MS

    def _judge(self) -> None:
        boot_ms, wall_ms = self._read()
        is_step = self._is_step(wall_ms - boot_ms)
        if is_step:
            self._is_certificate_out_of_time = False  # By the clock as it is now it may be valid.
        self._state = judge(
            Evidence(
                wall_ms=wall_ms,
                boot_ms=boot_ms,
                earliest_plausible_ms=max(self._build_ms, self._last_trusted_ms),
                is_kernel_synchronised=self._readers.is_kernel_synchronised(),
                is_timesync_flag_set=self._is_flag_fresh(boot_ms, wall_ms, is_step=is_step),
                collector=self._collector,
                proven_offset_ms=self._proven_offset_ms,
                is_always=self._is_always,
                is_collector_local=self._is_collector_local,
                is_certificate_out_of_time=self._is_certificate_out_of_time,
            )
        )
        self._judged_boot_ms, self._judged_offset_ms = boot_ms, wall_ms - boot_ms
        if self._state.offset_ms is None:
            return
        # Downwards too: a stored time that was wrong must not outlive the clock's being right.
        self._last_trusted_ms = boot_ms + self._state.offset_ms
        if self._state.is_proof:
            self._proven_offset_ms = self._state.offset_ms

    def _is_flag_fresh(self, boot_ms: int, wall_ms: int, *, is_step: bool) -> bool:
        """Whether timesyncd's flag speaks of this very clock: touched in this boot, since the last step."""
        if is_step:
            self._stale_flag_ms = self._flag_ms
        self._flag_ms = touched_ms = self._readers.timesync_flag_ms()
        if touched_ms is None or touched_ms == self._stale_flag_ms:
            return False
        touched_boot_ms = touched_ms - (wall_ms - boot_ms)
        return -STEP_MS <= touched_boot_ms <= boot_ms + STEP_MS


def differs(state: ClockState, other: ClockState) -> bool:
    """Whether the verdict is another, or the time that it gives."""
    if state.name != other.name:
        return True
    if state.offset_ms is None or other.offset_ms is None:
        return state.offset_ms is not other.offset_ms
    return abs(state.offset_ms - other.offset_ms) > STEP_MS
