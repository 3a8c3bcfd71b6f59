"""When pings get their time (`sa`): at once while the clock is trusted, later while it is not.

The rules (design §7): pings of an untrusted clock are held.  When trust comes, the time of each is
worked out from boottime.  After `hold_max_s` of a plausible but unproven clock they go with the
box's own time, and are counted as guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from jwpingd.clock import Clock
from jwpingd.errors import StoreError
from jwpingd.writer import Writer

_log = logging.getLogger("jwpingd.clock")

GIVE_AGAIN_S = 0.5  # one transaction for what came meanwhile
ASK_FIRST_S, ASK_MAX_S = 5.0, 300.0  # 5, 10, 20 … 300 s between questions for the collector's Date


class Timekeeper:
    """Runs beside the writer and gives waiting entries their time.

    `ask_collector` asks for the collector's Date; `remember` keeps the last time that was trusted.
    """

    def __init__(
        self,
        clock: Clock,
        writer: Writer,
        *,
        hold_max_s: float,
        ask_collector: Callable[[], Awaitable[float | None]],
        remember: Callable[[int], None],
    ) -> None:
        self._clock = clock
        self._writer = writer
        self._hold_max_s = hold_max_s
        self._ask_collector = ask_collector
        self._remember = remember
        self._state_scope = trio.CancelScope()
        self.is_guessing = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            state = self._clock.state
            _log.info("the clock is %s: %s", state.name, state.reason)
            self._remember(self._clock.last_trusted_ms)
            async with trio.open_nursery() as nursery:
                self._state_scope = nursery.cancel_scope
                nursery.start_soon(self._in_state, state.name)
                await self._clock.wait_for_change(state)
                nursery.cancel_scope.cancel()

    async def _in_state(self, name: str) -> None:
        self.is_guessing = False
        if name == "trusted":
            await self._give_times(is_guess=False)
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ask_for_date)
            if name == "unsynchronised":
                nursery.start_soon(self._guess_later)

    async def _guess_later(self) -> None:
        until_ms = self._clock.now().boot_ms + round(self._hold_max_s * 1000)
        await self._clock.sleep_until_boot_ms(until_ms)
        _log.warning(
            "nothing vouches for the clock after %.0f s; pings go with the box's own time", self._hold_max_s
        )
        self.is_guessing = True
        await self._give_times(is_guess=True)

    async def _ask_for_date(self) -> None:
        """The Date of a verified answer is proof enough, and asking costs one HEAD."""
        wait_s = ASK_FIRST_S
        while True:
            await self._writer.wait_untimed()
            date_s = await self._ask_collector()
            if date_s is not None and self._clock.note_collector_date(date_s):
                self._state_scope.cancel()
            await trio.sleep(wait_s)
            wait_s = min(2 * wait_s, ASK_MAX_S)

    async def _give_times(self, *, is_guess: bool) -> None:
        """Give every entry without a time its time, now and whenever there are more."""
        while True:
            ticket = await self._writer.wait_untimed()
            try:
                boot_id, offset_ms = self._clock.now().boot_id, self._clock.offset_ms()
                await self._writer.give_times(boot_id, offset_ms, is_guess=is_guess)
            except StoreError as exc:
                _log.warning("waiting pings got no time: %s; trying again when the store takes it", exc)
            await self._writer.wait_durable(ticket)
            await trio.sleep(GIVE_AGAIN_S)
