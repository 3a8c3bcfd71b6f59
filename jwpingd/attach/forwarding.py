"""From a player's IPC to jwpingd, for as long as it is wanted; either end may go and come back."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable

from jwpingd.attach.ipc import Ipc
from jwpingd.attach.media import MediaRule
from jwpingd.attach.mpv import Message, Translation
from jwpingd.client import Client

_RETRY_S = 0.5  # until a player is tried again, and how long a daemon may be away unnoticed
_IDLE_S = 5.0  # between looks at a daemon that has all there is
_CLOSE_WAIT_S = 2.0  # for the daemon to have the last events on flash


class Forwarding:
    """`tell` is told, in words, what changes.  `run` it once."""

    def __init__(self, ipc: Ipc, client: Client, rule: MediaRule, tell: Callable[[str], None]) -> None:
        self._ipc = ipc
        self._client = client
        self._rule = rule
        self._tell = tell
        self._translation = Translation(rule)
        self._told = ""
        self._is_connected = True
        self._n_refused = 0

    def run(self, stop_fd: int, *, once: bool = False) -> None:
        """Until `stop_fd` can be read; with `once`, also until the player that was reached is gone."""
        stop, was_open = select.poll(), False
        stop.register(stop_fd, select.POLLIN)
        while not stop.poll(0) and not (once and was_open and not self._ipc.is_open):
            if not self._ipc.is_open:
                self._connect()
            was_open = was_open or self._ipc.is_open
            self._wait(stop_fd)
            self._pass_on()
        self._send(self._translation.lost())
        self._client.close(_CLOSE_WAIT_S)
        self._ipc.close()

    def _connect(self) -> None:
        try:
            self._ipc.connect()
        except OSError as exc:
            why = exc.strerror or str(exc)
            self._tell_once(f"waiting for mpv at {self._ipc.path} ({why}); is it --input-ipc-server?")
            return
        self._tell_once(f"attached to mpv at {self._ipc.path}")
        self._translation = Translation(self._rule)
        self._send(self._translation.start())

    def _wait(self, stop_fd: int) -> None:
        poll = select.poll()
        poll.register(stop_fd, select.POLLIN)
        if self._ipc.is_open:
            poll.register(self._ipc, select.POLLIN)
        statistics = self._client.statistics()
        is_idle = self._ipc.is_open and statistics.is_connected and not statistics.n_unacknowledged
        poll.poll(1000 * (_IDLE_S if is_idle else _RETRY_S))

    def _pass_on(self) -> None:
        was_open = self._ipc.is_open
        for message in self._ipc.read():
            self._send(self._translation.messages(message, time.monotonic()))
        if was_open and not self._ipc.is_open:
            self._send(self._translation.lost())
        self._client.pump()
        self._tell_of_daemon()

    def _send(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if "command" in message:
                self._ipc.write(message)
                continue
            values = {key: value for key, value in message.items() if key != "event"}
            self._client.event(message["event"], **values)
            if "mediaid" in values:
                self._tell(f"playing {values['mediaid']} {values['title']!r}")

    def _tell_of_daemon(self) -> None:
        statistics = self._client.statistics()
        if statistics.is_connected != self._is_connected:
            self._is_connected = statistics.is_connected
            lost = f"no daemon: {statistics.last_error or 'it is gone'}; keeping events and trying again"
            self._tell("the daemon is there" if self._is_connected else lost)
        if statistics.n_refused > self._n_refused:
            self._n_refused = statistics.n_refused
            self._tell(f"refused: {statistics.last_error}")

    def _tell_once(self, words: str) -> None:
        if words != self._told:
            self._told = words
            self._tell(words)
