"""When pings get their time (`sa`), and whether any may be sent, while the clock is not trusted.

The rules: pings of an untrusted clock are held.  When the true time becomes known, by the
box or by the collector's Date, the time of each is worked out from boottime.  Only where the collector
can be reached and tells no time do they go with the box's own, after `hold_max_s`, and are counted as
guessed.  While TLS does not work, for the clock or for any other reason, nothing could be sent:
so nothing is, and nothing is guessed either.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from jwpingd.clock import Clock, ClockState, differs
from jwpingd.errors import StoreError
from jwpingd.retry import backoff_s
from jwpingd.uplink import CollectorTime, Outcome
from jwpingd.writer import Writer

_log = logging.getLogger("jwpingd.clock")

GIVE_AGAIN_S = 0.5  # one transaction for what came meanwhile
ASK_FIRST_S, ASK_MAX_S = 5.0, 300.0
"""Between questions for the collector's Date: full jitter below 5, 10, 20 … 300 s."""

NETWORK_JITTER_S = 4.0  # A fleet that gets its network back together spreads its questions over this.
N_NARROWING = 3  # questions in a row, on one connection, until the answer is exact enough


class Timekeeper:
    """Runs beside the writer, gives waiting entries their time, and says whether sending makes sense.

    `ask_collector` asks for the collector's time; `remember` is told when there is more to remember of the
    clock, `let_send` when `may_send` may have changed.  `needs_tls`: the collector is not on this box.
    """

    def __init__(
        self,
        clock: Clock,
        writer: Writer,
        *,
        hold_max_s: float,
        needs_tls: Callable[[], bool],
        ask_collector: Callable[[], Awaitable[CollectorTime]],
        remember: Callable[[], Awaitable[None]],
        let_send: Callable[[], None] = lambda: None,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._writer = writer
        self._hold_max_s = hold_max_s
        self._needs_tls = needs_tls
        self._ask_collector = ask_collector
        self._remember = remember
        self._let_send = let_send
        self._fraction = fraction
        self._state = clock.state
        self._state_scope = trio.CancelScope()
        self._pause = trio.CancelScope()
        self._answered = trio.Event()
        self._n_questions = 0

    @property
    def may_send(self) -> bool:
        """False until TLS has been seen to work with a clock that nobody vouches for."""
        return self._clock.state.name == "trusted" or not self._needs_tls() or self._answered.is_set()

    def network_changed(self) -> None:
        """What could not be reached may be reached now: ask again within `NETWORK_JITTER_S`."""
        self._n_questions = 0
        self._pause.deadline = min(
            self._pause.deadline, trio.current_time() + NETWORK_JITTER_S * self._fraction()
        )

    def note_certificate_out_of_time(self) -> None:
        """TLS failed in a way that a wrong clock explains."""
        self._act_on(self._clock.note_certificate_out_of_time())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._state = state = self._clock.state
            _log.info("the clock is %s: %s", state.name, state.reason)
            await self._remember()
            async with trio.open_nursery() as nursery:
                self._state_scope = nursery.cancel_scope
                nursery.start_soon(self._in_state, state.name)
                await self._clock.wait_for_change(state)
                nursery.cancel_scope.cancel()

    def _act_on(self, state: ClockState) -> None:
        if differs(state, self._state):
            self._state_scope.cancel()

    async def _in_state(self, name: str) -> None:
        self._answered = trio.Event()
        self._let_send()
        async with trio.open_nursery() as nursery:
            if self._clock.is_known:
                nursery.start_soon(partial(self._give_times, by_guess=False))
            elif name == "unsynchronised":
                nursery.start_soon(self._guess_later)
            if name != "trusted":
                nursery.start_soon(self._ask_for_time)

    async def _guess_later(self) -> None:
        until_ms = self._clock.now().boot_ms + round(self._hold_max_s * 1000)
        await self._clock.sleep_until_boot_ms(until_ms)
        await self._answered.wait()
        _log.warning(
            "nothing vouches for the clock after %.0f s; pings go with the box's own time", self._hold_max_s
        )
        await self._give_times(by_guess=True)

    async def _ask_for_time(self) -> None:
        """The Date of a verified answer is proof enough, and asking costs one HEAD."""
        self._n_questions = 0
        while True:
            if self.may_send:
                await self._writer.wait_untimed()
            for _ in range(N_NARROWING):
                if not await self._ask_once():
                    break
            self._n_questions += 1
            wait_s = backoff_s(self._n_questions, ASK_FIRST_S, ASK_MAX_S, self._fraction())
            await self._sleep(wait_s)

    async def _ask_once(self) -> bool:
        """Whether it is worth asking again at once, over the connection that stands now."""
        asked_ms = self._clock.now().boot_ms
        answer = await self._ask_collector()
        if answer.outcome is Outcome.OUT_OF_TIME:
            self.note_certificate_out_of_time()
        if answer.outcome is Outcome.ANSWERED:
            self._answered.set()
            self._let_send()
            self._act_on(self._clock.note_answer(answer.date_s, asked_ms))
        return answer.date_s is not None and not self._clock.is_known

    async def _sleep(self, wait_s: float) -> None:
        """Standby counts; a change of the network ends it."""
        until_ms = self._clock.now().boot_ms + round(wait_s * 1000)
        with trio.CancelScope() as self._pause:
            await self._clock.sleep_until_boot_ms(until_ms)

    async def _give_times(self, *, by_guess: bool) -> None:
        """Give every entry without a time its time, now and whenever there are more."""
        is_told = False
        while True:
            ticket = await self._writer.wait_untimed()
            try:
                boot_id, offset_ms = self._clock.now().boot_id, self._clock.offset_ms()
                await self._writer.give_times(boot_id, offset_ms, is_guess=by_guess)
                is_told = False
            except StoreError as exc:
                if not is_told:
                    _log.warning("waiting pings got no time: %s; trying again when the store takes it", exc)
                is_told = True
            await self._writer.wait_durable(ticket)
            await trio.sleep(GIVE_AGAIN_S)
