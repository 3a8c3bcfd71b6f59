"""A listening socket that may be bound again at its place, under those who accept there."""

from __future__ import annotations

import socket
from collections.abc import Callable

import trio


class Door:
    """`bind` makes the socket at `path` anew; None where that is somebody else's, such as systemd's."""

    def __init__(
        self, listener: socket.socket, path: str = "", bind: Callable[[], socket.socket] | None = None
    ) -> None:
        self._listener = listener
        self.path = path
        self._bind = bind

    @property
    def is_ours(self) -> bool:
        """Whether it can be opened again."""
        return self._bind is not None

    async def wait_somebody(self) -> socket.socket:
        """The listener, once somebody waits there; it may be another one each time."""
        while True:
            listener = self._listener
            try:
                await trio.lowlevel.wait_readable(listener)
            except trio.ClosedResourceError:
                continue  # It was opened again meanwhile.
            return listener

    def open_again(self) -> None:
        """Bind at the same place, because nobody finds the way to the old one.  Raises OperatorError."""
        assert self._bind is not None
        old, self._listener = self._listener, self._bind()
        trio.lowlevel.notify_closing(old)
        old.close()
