"""Players on the booted box, and what the collector got of them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.systemd.box import PATIENCE_S, PINGS, SOCKET, wait_until


class Player:
    """A player: writes lines, reads acks.  `title` marks its pings."""

    def __init__(self, title: str, key: str | None = None) -> None:
        self.title = title
        self._key = {} if key is None else {"play": key}
        self._n_acks = 0
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(SOCKET)
        self._unread = b""

    def begin(self) -> Player:
        """Start a play, which makes e and s; not acknowledged yet."""
        app = {"id": "com.example.tv", "version": "2.4.1"}
        item = {"mediaid": "9u6OHIO4", "title": self.title, **self._key}
        self.send({"event": "hello", "app": app})
        self.send({"event": "playlistItem", **item}, self.tick(0))
        return self

    @staticmethod
    def tick(position_s: float) -> dict[str, Any]:
        return {"event": "time", "position": position_s, "duration": 653.8}

    def send(self, *events: dict[str, Any]) -> None:
        self.sock.sendall(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    def ack(self) -> None:
        """Wait until everything up to here is on flash."""
        self._n_acks += 1
        self.send({"event": "adImpression", "id": f"ack-{self._n_acks}"})
        while self._reply().get("ack") != f"ack-{self._n_acks}":
            pass

    def has_ack_within(self, seconds: float) -> bool:
        """Whether an ack comes by then."""
        self.sock.settimeout(seconds)
        try:
            self.ack()
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(PATIENCE_S)
        return True

    def close(self) -> None:
        self.sock.close()

    def _reply(self) -> dict[str, Any]:
        """The next reply.  What came before a timeout is kept."""
        while b"\n" not in self._unread:
            data = self.sock.recv(4096)
            assert data, "the daemon closed the connection"
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply


def pings(title: str) -> list[dict[str, str]]:
    """The parameters of each different ping that arrived for a title."""
    lines = map(json.loads, PINGS.read_text().splitlines())
    arrived = {line["target"]: line["params"] for line in lines if "target" in line}
    return [params for params in arrived.values() if params.get("t") == title]


def kinds(title: str) -> Counter[str]:
    """How many different pings of each kind arrived for a title."""
    return Counter(params["e"] for params in pings(title))


def wait_delivered(title: str, *wanted: str) -> Counter[str]:
    """Wait until at least one ping of each wanted kind arrived; all that arrived."""
    wait_until(lambda: set(wanted) <= kinds(title).keys(), f"{wanted} of {title!r} arrive: {kinds(title)}")
    return kinds(title)


@contextlib.contextmanager
def nobody_refused() -> Iterator[None]:
    """Players come and go all the time, fewer than a user may have at once; any refusal fails the check."""
    over, errors = threading.Event(), list[str]()

    def connect() -> None:
        while not over.wait(0.1):
            try:
                Player("Passer-by").close()
            except OSError as error:
                errors.append(str(error))

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not errors, errors
