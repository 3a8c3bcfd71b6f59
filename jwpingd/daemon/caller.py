"""Who a connected player is: evidence at once, its app when a play needs it, each once a connection.

Both are looked up in a thread, like the box itself: even /proc can keep its reader waiting.  A play waits
`LOOK_UP_S` for them and then begins with what is known; an answer that comes later serves the plays after
it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import trio

from jwpingd import apps
from jwpingd.apps import App, Process
from jwpingd.daemon.box import Box
from jwpingd.ping import Facts
from jwpingd.server import Claims
from jwpingd.sockets import credentials
from jwpingd.sockets.credentials import Peer
from jwpingd.writer import RunBlocking

LOOK_UP_S = 2.0
"""A slow box reads the package database of a whole Debian in about a second."""


class PeerCaller:
    """The `server.Caller` for a real peer.  `box` gives the configuration that holds now."""

    def __init__(
        self, sock: socket.socket, peer: Peer, box: Callable[[], Box], run_blocking: RunBlocking
    ) -> None:
        self.process = Process(peer.uid, str(peer.uid))
        self.detected: App | None = None
        self._sock = sock
        self._peer = peer
        self._box = box
        self._run_blocking = run_blocking
        self._is_seen = trio.Event()
        self._is_asked = trio.Event()
        self._is_detected = trio.Event()

    async def run(self) -> None:
        """Look at the process while it lives; detect its app if anybody asks."""
        self.process = await self._run_blocking(self._look)
        self._is_seen.set()
        await self._is_asked.wait()
        self.detected = await self._run_blocking(self._detect)
        self._is_detected.set()

    async def prepare(self, claims: Claims) -> None:
        """Wait for what `facts` will need of the process and of its app."""
        with trio.move_on_after(LOOK_UP_S):
            await self._is_seen.wait()
            if not self._box().device.is_seen:  # Since a reload nobody has looked.
                await self._run_blocking(self._box().device.look)
            if self._box().must_detect(self.process, claims):
                self._is_asked.set()
                await self._is_detected.wait()

    def facts(self, claims: Claims) -> Facts | None:
        """As far as the player is known by now."""
        return self._box().facts(self.process, self.detected, claims)

    def status(self, claims: Claims) -> dict[str, Any]:
        """The evidence, and the app that a play would now be counted for."""
        app = self._box().app(self.process, self.detected, claims)
        return {
            "user": self.process.user,
            "unit": self.process.unit,
            "exe": self.process.exe,
            "command": self.process.command,
            "app": app.id,
            "app_version": app.version,
            "app_source": app.source,
        }

    def _look(self) -> Process:
        def is_still_there() -> bool:
            return credentials.is_still_there(self._sock, self._peer)

        self._box().device.look()  # The first look at the box takes its time, too.
        return apps.process(self._peer.pid, self._peer.uid, self._box().root, is_still_there=is_still_there)

    def _detect(self) -> App | None:
        return apps.detect(self.process, self._box().root)
