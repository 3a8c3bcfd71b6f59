"""A server with its writer and a store, over a real socket and in virtual time, and players of it."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
import trio.testing

from jwpingd import ping
from jwpingd.device import Device
from jwpingd.events import Consent
from jwpingd.ping import Facts
from jwpingd.server import Caller, Claims, Limits, Plays, Rules, Server
from jwpingd.sockets.door import Door
from tests.inline import START_MS, VirtualClock, moody_spool, writer_on

ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream"}
REMOVE = {"event": "remove"}


def tick(position: float, duration: float | None = 300.0) -> dict[str, Any]:
    return {"event": "time", "position": position, "duration": duration}


def ticks(first_s: int, n: int) -> list[dict[str, Any]]:
    """Ticks a second apart that happened in the past, as a player that held them back writes them."""
    return [tick(first_s + idx) | {"at": START_MS / 1000 + first_s + idx} for idx in range(n)]


def describe(claims: Claims) -> Facts | None:
    if claims.consent is Consent.NONE:
        return None
    facts = Facts(
        "a17e8PTFFffxLgpVuA4vVw", claims.app_id or "app", "1", Device("test"), user_hash=claims.user_hash
    )
    return facts.without_user() if claims.consent is Consent.ANONYMOUS else facts


class KnownCaller:
    """A player about whom nothing needs to be found out."""

    async def run(self) -> None:
        return

    async def prepare(self, claims: Claims) -> None:
        return

    def facts(self, claims: Claims) -> Facts | None:
        return describe(claims)

    def status(self, claims: Claims) -> dict[str, Any]:
        return {}


class SlowCaller(KnownCaller):
    """A player of whom nothing is known before a look that takes its time."""

    look_s = 1.5

    def __init__(self) -> None:
        self._app_id = "unknown"

    async def prepare(self, claims: Claims) -> None:
        await trio.sleep(self.look_s)
        self._app_id = "found"

    def facts(self, claims: Claims) -> Facts | None:
        return describe(claims._replace(app_id=claims.app_id or self._app_id))


class EndlessCaller(SlowCaller):
    """A player of whom nothing will ever be known."""

    look_s = float("inf")


class House:
    """A server with its writer and a store in a directory; players connect to it."""

    def __init__(self, directory: Path, caller: Callable[[], Caller] = KnownCaller, /, **limits: Any) -> None:
        self.spool = moody_spool(directory / "state")
        self.writer = writer_on(self.spool, memory_max=1000)
        self.clock = VirtualClock()
        self._ids = (f"{number:012d}" for number in range(1, 10_000))
        self.plays = Plays(self.writer, self.clock, self._ids.__next__, resume_s=120)
        rules = Rules(max_line_bytes=16384, max_players=8, checkpoint_s=30, token_claim="sub")
        values: dict[str, Any] = {
            "max_connections": 64,
            "max_connections_per_uid": 32,
            "max_events_per_s": 1000,
        }
        self.limits = Limits(rules, **(values | limits))
        self.server = Server(self.plays, self.writer, self.clock, self.limits, lambda _sock, _peer: caller())
        self.path = directory / "player.sock"
        self.players: list[Player] = []
        self.stopping = trio.Event()

    def pings(self) -> list[tuple[str, dict[str, str]]]:
        """Kind and parameters of all that is on flash, in order."""
        entries = self.spool.waiting(10_000)
        return [(entry.kind, ping.read(entry.target)[1] | {"sa": str(entry.sa_ms)}) for entry in entries]

    def kinds(self) -> str:
        return " ".join(kind for kind, _ in self.pings())

    def connect(self) -> Player:
        """A player, whose socket is closed with the house at the latest."""
        self.players.append(Player(self.path))
        return self.players[-1]

    async def recover(self) -> None:
        """As the daemon does at its start."""
        self.plays.recover(await self.writer.on_spool(lambda spool: spool.checkpoints()), self.clock.now())


class Player:
    """The far end of a connection."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.sock.setblocking(False)
        self._read = b""

    def write(self, *events: dict[str, Any] | bytes) -> None:
        lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
        self.sock.sendall(b"".join(line + b"\n" for line in lines))

    def replies(self) -> list[dict[str, Any]]:
        """All replies that are there."""
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                break
            if not data:
                break
            self._read += data
        *lines, self._read = self._read.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        self.sock.close()


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[House]:
    """The house with all its tasks; at the end it is stopped in good order."""
    with socket.socket(socket.AF_UNIX) as listener:
        house.path.unlink(missing_ok=True)
        listener.bind(str(house.path))
        listener.listen(128)
        listener.setblocking(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.writer.run)
            nursery.start_soon(house.plays.run)
            async with trio.open_nursery() as serving_nursery:
                serving_nursery.start_soon(_serve, house, listener)
                await settle()
                yield house
                house.stopping.set()
            await house.writer.flush()
            nursery.cancel_scope.cancel()
        await house.writer.close()
        for player in house.players:
            player.close()


async def _serve(house: House, listener: socket.socket) -> None:
    await house.server.serve(Door(listener), until=house.stopping, leave_within_s=1.5)


async def settle(seconds: float = 1.0) -> None:
    """Let everything happen that happens within a second."""
    await trio.sleep(seconds)
    await trio.testing.wait_all_tasks_blocked()
