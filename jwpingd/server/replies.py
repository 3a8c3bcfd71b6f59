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
        self._newest_ack = b""  # where there was no room for it; it goes once there is
        self._changed = trio.lowlevel.ParkingLot()

    def send(self, line: bytes) -> None:
        """Send one line as far as the peer takes it now; `run` sends the rest when it reads."""
        self._take(line)

    def acknowledge(self, line: bytes) -> None:
        """The same for an ack.  The newest is never dropped, because it tells of all before it."""
        self._newest_ack = b"" if self._take(line) else line

    async def run(self) -> None:
        """Send what is held whenever the peer reads, until cancelled."""
        while True:
            while not self._held:
                await self._changed.park()
            await trio.lowlevel.wait_writable(self._sock)
            del self._held[: self._send_now(bytes(self._held))]
            if not self._held:
                self._held += self._newest_ack
                self._newest_ack = b""
            if not self._held:
                self._changed.unpark_all()

    async def wait_sent(self) -> None:
        """Return when nothing is held."""
        while self._held:
            await self._changed.park()

    def _take(self, line: bytes) -> bool:
        """Send or hold it; False where it had to be dropped."""
        if self._held and len(self._held) + len(line) > MAX_HELD_BYTES:
            return False
        if self._held:
            self._held += line
            return True
        self._held += line[self._send_now(line) :]
        if self._held:
            self._changed.unpark_all()
        return True

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
