"""How the store is opened, kept and closed, whatever flash does meanwhile.

The law of stopping: two seconds after SIGTERM the process is gone.  One commit is waited for, so that
what players wrote before the stop is on flash.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from jwpingd import notify
from jwpingd.clock import Clock
from jwpingd.errors import StoreError
from jwpingd.writer import Writer

_log = logging.getLogger("jwpingd")

STOP_S = 1.5  # for the last commit, of the two seconds that SIGTERM leaves
CHECK_AFTER_S = 30.0  # the thorough look at the store waits until the box has started
EXPIRE_EVERY_MS = 24 * 3600 * 1000  # the age of pings is counted in days
ASK_FOR_TIME_EVERY_S, MORE_TIME_S = 5.0, 30.0  # of systemd, while the store is being opened


class Stop:
    """That the daemon is to end, and since when."""

    def __init__(self) -> None:
        self.event = trio.Event()
        self._at_s = float("inf")

    def begin(self) -> None:
        """Again changes nothing."""
        self._at_s = min(self._at_s, trio.current_time())
        self.event.set()

    @property
    def deadline_s(self) -> float:
        """When flash has had its time."""
        return self._at_s + STOP_S

    async def abandon_flash(self, writer: Writer) -> None:
        """A commit that hangs in the kernel must not keep the process."""
        await self.event.wait()
        await trio.sleep_until(self.deadline_s)
        writer.abandon()


async def open_store(writer: Writer, stop: Stop) -> None:
    """Open the store, which tells what the last run left.  One that refuses stops nothing."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ask_for_time, writer)
        nursery.start_soon(_stop_opening, writer, stop, nursery.cancel_scope)
        try:
            await writer.on_spool(lambda spool: None)
        except StoreError as exc:
            _log.error("%s; keeping pings in memory until it can be opened", exc)
        nursery.cancel_scope.cancel()


async def look_after(writer: Writer, clock: Clock, remember_clock: Callable[[], Awaitable[None]]) -> None:
    """Look the store through once, and drop what is too old once a day, until cancelled."""
    await trio.sleep(CHECK_AFTER_S)
    while True:
        try:
            await writer.on_spool(lambda spool: spool.thorough_check())
            wall_ms = clock.now().wall_ms
            if wall_ms is not None:
                await writer.expire(wall_ms)
                await remember_clock()
        except StoreError as exc:
            _log.warning("the store could not be looked through: %s", exc)
        await clock.sleep_until_boot_ms(clock.now().boot_ms + EXPIRE_EVERY_MS)


async def close(writer: Writer, stop: Stop) -> None:
    """All that players wrote is on its way to flash: wait for it, but not for ever."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop.abandon_flash, writer)
        with trio.move_on_at(stop.deadline_s) as scope:
            await writer.flush()
            try:
                await writer.close()
            except StoreError as exc:
                _log.warning("%s; what was acknowledged is safe all the same", exc)
        nursery.cancel_scope.cancel()
    writer.abandon()
    if scope.cancelled_caught:
        reason = writer.status().reason or "it is slow"
        _log.error("flash did not take everything in time: %s", reason)


async def _ask_for_time(writer: Writer) -> None:
    """A start that takes long is no failed one: players wait at the socket meanwhile."""
    while True:
        await trio.sleep(ASK_FOR_TIME_EVERY_S)
        notify.extend_timeout(MORE_TIME_S, f"opening the store for {writer.flash_busy_s:.0f} s now")


async def _stop_opening(writer: Writer, stop: Stop, opening: trio.CancelScope) -> None:
    """A stop does not wait for a store that hangs in the kernel."""
    await stop.abandon_flash(writer)
    opening.cancel()
