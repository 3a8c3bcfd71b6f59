"""The JSON IPC of a player such as mpv: messages in, commands out, one JSON object a line."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from typing import Any

_READ_BYTES = 64 * 1024
_MAX_LINE_BYTES = 1 << 20  # mpv's longest answers (playlists) stay far below.


class Ipc:
    """A connection, made again as often as needed.  Only `connect` tells of errors; others end it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket: socket.socket | None = None
        self._incoming = b""

    def fileno(self) -> int:
        """To be waited for; -1 while there is no connection."""
        return -1 if self._socket is None else self._socket.fileno()

    @property
    def is_open(self) -> bool:
        """Whether the player is connected, as far as is known."""
        return self._socket is not None

    def connect(self) -> None:
        """Raises OSError, with the reason."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(self.path)
        except OSError:
            sock.close()
            raise
        self._socket, self._incoming = sock, b""

    def read(self) -> list[dict[str, Any]]:
        """The messages that are there."""
        if self._socket is None:
            return []
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        if not data or len(self._incoming) > _MAX_LINE_BYTES:
            self.close()
        return list(_objects(lines))

    def write(self, command: dict[str, Any]) -> None:
        """Commands are few and short: a player that does not take them does not work any more."""
        if self._socket is None:
            return
        line = json.dumps(command).encode() + b"\n"
        try:
            is_whole = self._socket.send(line, socket.MSG_NOSIGNAL) == len(line)
        except OSError:
            is_whole = False
        if not is_whole:
            self.close()

    def close(self) -> None:
        """The connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _objects(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
