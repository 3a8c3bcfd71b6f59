"""The uplink of the moment: none before the box's consent is known, and another one after a reload."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from jwpingd.uplink import CollectorTime, Outcome, Uplink, UplinkStatus
from jwpingd.writer import IsPurged


class Delivery:
    """Runs an uplink, and passes on to it what concerns it; while there is none, nothing does.

    `make_uplink` makes one from the configuration that holds.  None runs before `wait_allowed` returns.
    """

    def __init__(
        self, make_uplink: Callable[[], Uplink], wait_allowed: Callable[[], Awaitable[None]]
    ) -> None:
        self._make_uplink = make_uplink
        self._wait_allowed = wait_allowed
        self._scope = trio.CancelScope()
        self.uplink: Uplink | None = None

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._wait_allowed()
        while True:
            self.uplink = self._make_uplink()
            with trio.CancelScope() as self._scope:
                await self.uplink.run()

    def restart(self) -> None:
        """The configuration is another one now."""
        self._scope.cancel()

    def hurry(self) -> None:
        """What could not be reached may be reached now; connections may be dead without knowing it."""
        if self.uplink is not None:
            self.uplink.network_changed()

    def look_again(self) -> None:
        """What must not be sent may have changed."""
        if self.uplink is not None:
            self.uplink.look_again()

    def withdraw(self, is_purged: IsPurged) -> None:
        """These are not to be sent any more."""
        if self.uplink is not None:
            self.uplink.withdraw(is_purged)

    async def time_of_collector(self) -> CollectorTime:
        """What the collector says of the time."""
        if self.uplink is None:
            return CollectorTime(Outcome.NO_ANSWER)
        return await self.uplink.time_of_collector()

    def status(self) -> UplinkStatus | None:
        """How it stands."""
        return None if self.uplink is None else self.uplink.status()
