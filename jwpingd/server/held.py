"""Plays whose connection is gone, each until its player comes back or its time is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import trio

from jwpingd.moment import Moment
from jwpingd.server.player import Player

MAX_HELD = 64  # as many plays may wait for their players as there may be connections


class Clock(Protocol):
    """The part of the clock that the server needs."""

    def now(self) -> Moment: ...

    async def sleep_until_boot_ms(self, boot_ms: int) -> None: ...


class HeldPlays:
    """`end` is given every play that nobody came back for."""

    def __init__(self, clock: Clock, end: Callable[[Player], None]) -> None:
        self._clock = clock
        self._end = end
        self._players: list[Player] = []
        self._changed = trio.Event()

    def __len__(self) -> int:
        return len(self._players)

    def __iter__(self) -> Iterator[Player]:
        return iter(self._players)

    def hold(self, player: Player, until_ms: int) -> None:
        """Keep it until then, on the suspend-proof clock.  Beyond the limit the oldest makes way."""
        player.held_until_ms = until_ms
        self._players.append(player)
        if len(self._players) > MAX_HELD:
            self._let_go(self._players[0])
        self._changed.set()

    def take(self, player: Player) -> None:
        """Its player is back; nothing happens if it was not held."""
        if player.held_until_ms is not None:
            self._players.remove(player)
            player.held_until_ms = None

    async def run(self) -> None:
        """End plays when their time is over, until cancelled."""
        while True:
            self._changed = trio.Event()
            next_ms = min((player.held_until_ms or 0 for player in self._players), default=None)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._cancel_on_change, nursery.cancel_scope)
                if next_ms is None:
                    await trio.sleep_forever()
                else:
                    await self._clock.sleep_until_boot_ms(next_ms)
                    nursery.cancel_scope.cancel()
            self._end_overdue(self._clock.now())

    def _end_overdue(self, now: Moment) -> None:
        for player in [held for held in self._players if (held.held_until_ms or 0) <= now.boot_ms]:
            self._let_go(player)

    def _let_go(self, player: Player) -> None:
        self.take(player)
        self._end(player)

    async def _cancel_on_change(self, scope: trio.CancelScope) -> None:
        await self._changed.wait()
        scope.cancel()
