"""The clocks of a box in virtual time: they are set, vouched for and put to sleep at will."""

from __future__ import annotations

from collections.abc import Callable

import trio


class VirtualReaders:
    """Boottime is trio's clock and what was spent in standby; the wall clock is boottime and an offset.

    `flag_ms` is the time stamp of timesyncd's flag, `is_kernel` the kernel's word.
    """

    def __init__(self, wall_ms: int, *, boot: str = "boot-1", boottime_ms: int = 1_000_000) -> None:
        self.flag_ms: int | None = None
        self.is_kernel: bool | None = False
        self._boot = boot
        self._booted_s = trio.current_time() - boottime_ms / 1000
        self._standby_ms = 0
        self._stepped = trio.Event()
        self._set_offset(wall_ms)

    def set_wall(self, wall_ms: int, *, is_vouched_for: bool = False) -> None:
        """Set the clock: as a user does, or as a time service does.  Either changes the kernel's word."""
        self._set_offset(wall_ms)
        if self.is_kernel is not None:
            self.is_kernel = is_vouched_for
        if is_vouched_for:
            self.flag_ms = wall_ms
        self._tell()

    def stand_by(self, duration_ms: int) -> None:
        """Standby that both clocks count, as they do where a battery clock runs on."""
        self._standby_ms += duration_ms
        self._tell()

    def wall_ms(self) -> int:
        return self._offset_ms + self.boottime_ms()

    def boottime_ms(self) -> int:
        return self.monotonic_ms() + self._standby_ms

    def monotonic_ms(self) -> int:
        return round((trio.current_time() - self._booted_s) * 1000)

    def boot_id(self) -> str:
        return self._boot

    def timesync_flag_ms(self) -> int | None:
        return self.flag_ms

    def is_kernel_synchronised(self) -> bool | None:
        return self.is_kernel

    async def wait_for_step(self, has_stepped: Callable[[], bool]) -> None:
        stepped = self._stepped
        if not has_stepped():
            await stepped.wait()

    async def sleep_until_boot_ms(self, boot_ms: int) -> None:
        while (left_ms := boot_ms - self.boottime_ms()) > 0:
            with trio.move_on_after(left_ms / 1000):
                await self._stepped.wait()  # Standby ends sooner what counts it.

    def _set_offset(self, wall_ms: int) -> None:
        self._offset_ms = wall_ms - self.boottime_ms()

    def _tell(self) -> None:
        self._stepped.set()
        self._stepped = trio.Event()
