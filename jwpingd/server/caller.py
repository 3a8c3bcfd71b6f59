"""What a connection asks of the house about its player."""

from __future__ import annotations

from typing import Any, Protocol

from jwpingd.ping import Facts
from jwpingd.server.claims import Claims


class Caller(Protocol):
    """One connected player, as the daemon sees it."""

    async def run(self) -> None:
        """Find out who it is; runs as long as the connection does."""

    async def prepare(self, claims: Claims) -> None:
        """Return when `facts` knows all it will need, or after a bounded time."""

    def facts(self, claims: Claims) -> Facts | None:
        """What the pings of a play that begins now say besides what happened; None: make no pings."""

    def status(self, claims: Claims) -> dict[str, Any]:
        """What an operator is told of it, as JSON values."""
