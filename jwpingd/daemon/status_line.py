"""The line that `systemctl status` shows: how it stands, what waits, who is connected.

Told when something has changed, and never by looking: an idle daemon stays asleep.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from jwpingd.clock import Clock
from jwpingd.daemon import status
from jwpingd.plural import counted
from jwpingd.spool import Account
from jwpingd.uplink import UplinkStatus
from jwpingd.writer import StoreStatus

QUIET_S = 1.0  # what happens within a second is one line


class StatusLine:
    """`describe` gives the line as of now, `tell` hands it on; `complaint` stands in front of it."""

    def __init__(self, describe: Callable[[], str], tell: Callable[[str], object]) -> None:
        self._describe = describe
        self._tell = tell
        self._changed = trio.Event()
        self.complaint = ""

    def note(self) -> None:
        """Something may have changed."""
        self._changed.set()

    def text(self) -> str:
        """The line as of now."""
        return f"{self.complaint}; {self._describe()}" if self.complaint else self._describe()

    async def run(self) -> None:
        """Until cancelled."""
        told = ""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            if self.text() != told:
                told = self.text()
                self._tell(told)
            await trio.sleep(QUIET_S)


def line(
    account: Account, store: StoreStatus, uplink: UplinkStatus | None, clock: Clock, n_players: int
) -> str:
    """ "delivering; 3 waiting, oldest 12 s; 2 players"."""
    players = counted(n_players, "player")
    if not account.waiting:
        return f"{_state(account, store, uplink, clock)}; nothing waits; {players}"
    age_s = status.age_s(account, clock)
    oldest = "" if age_s is None else f", oldest {_age(age_s)}"
    return f"{_state(account, store, uplink, clock)}; {account.waiting} waiting{oldest}; {players}"


def _state(account: Account, store: StoreStatus, uplink: UplinkStatus | None, clock: Clock) -> str:
    if store.reason:
        return f"degraded: {store.reason}"
    if uplink is not None and not uplink.is_online:
        return f"offline: {uplink.last_error}"
    if account.waiting and clock.state.name != "trusted":
        return f"waiting for the right time ({clock.state.reason})"
    return "delivering" if account.waiting else "ready"


def _age(age_s: float) -> str:
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if age_s >= 2 * unit_s:
            return f"{age_s / unit_s:.0f} {unit}"
    return f"{age_s:.0f} s"
