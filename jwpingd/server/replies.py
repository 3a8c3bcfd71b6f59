"""Answers to a player, sent without ever waiting for it.  Writers that never read are normal."""

from __future__ import annotations

import contextlib
import socket

import trio

MAX_HELD_BYTES = 16 * 1024  # what a slow reader may leave with us before answers are dropped


class Replies:
    """Whole lines only: an answer is sent, held for a while, or dropped, but never torn."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = bytearray()
        self._changed = trio.lowlevel.ParkingLot()

    def send(self, line: bytes) -> None:
        """Send one line as far as the peer takes it now; `run` sends the rest when it reads."""
        if self._held:
            if len(self._held) + len(line) <= MAX_HELD_BYTES:
                self._held += line
            return
        self._held += line[self._send_now(line) :]
        if self._held:
            self._changed.unpark_all()

    async def run(self) -> None:
        """Send what is held whenever the peer reads, until cancelled."""
        while True:
            while not self._held:
                await self._changed.park()
            await trio.lowlevel.wait_writable(self._sock)
            del self._held[: self._send_now(bytes(self._held))]
            if not self._held:
                self._changed.unpark_all()

    async def wait_sent(self) -> None:
        """Return when nothing is held."""
        while self._held:
            await self._changed.park()

    def _send_now(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # The peer is gone, and nobody is left to miss the answer.


def refuse(sock: socket.socket, line: bytes) -> None:
    """Tell a peer that is not admitted why, and close."""
    with contextlib.suppress(OSError):
        sock.send(line)
    sock.close()
