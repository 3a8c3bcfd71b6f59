"""A player's end of the socket: one file of the standard library, which a player may also copy.

    from jwpingd.client import Client

    client = Client(app={"id": "com.example.tv", "version": "2.4.1"})
    client.playlist_item("9u6OHIO4", title="Elephants Dream")
    client.time(0.25, duration=653.8)  # some four times a second
    client.complete()
    client.close(wait_s=1.0)

The laws.  No call raises.  No call waits, but `close` for as long as it is told to: the socket never
blocks, and a call writes at most `MAX_LINES_A_CALL` lines.  While the daemon is away, or does not read,
events are kept with their moment (`at`) in a bounded buffer; the oldest is dropped first, and counted.
After a cut the play goes on under its key, and what the daemon may not have on flash is said again.
The daemon tells by `at` what it has, so each event counts once.  See docs/protocol.md, "Clients".

A client is one player.  Threads may share it; a signal handler may not use it, nor a forked child.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

DEFAULT_PATH = "/run/jwpingd/player.sock"
BUFFER_BYTES = 256 * 1024  # ten minutes of four ticks a second; `at` may not be older
MAX_LINES_A_CALL = 256  # a millisecond or two of work; a longer backlog goes with the calls that follow

_MAX_LINE_BYTES = 16 * 1024  # The daemon takes no longer ones.
_MAX_AT_AGE_MS = 590_000  # `at` is taken for 10 min; 10 s are left for the way.
_KEPT_MS = 60_000  # The daemon puts the state of a play on flash every 30 s; until then it may lose a tick.
_ACK_INTERVAL_MS = 5_000  # Ticks ask for an ack no more often; every other event asks.
_RETRY_MS = 500  # A try takes some microseconds.
_POLL_MS = 20  # how long `close` waits for replies at once
_ENDS = frozenset({"complete", "remove"})
_OURS = frozenset({"event", "at", "id"})


class Statistics(NamedTuple):
    """How it goes.

    `n_dropped` events did not fit or grew too old; `n_refused` were no events at all, by this client's word
    or the daemon's.  `last_error` says why, or why there is no connection.
    """

    is_connected: bool
    n_events: int
    n_unacknowledged: int
    n_dropped: int
    n_refused: int
    n_connections: int
    last_error: str


class Client:
    """One player.  `hello` is what it says of itself: app, player, user, advertising, consent."""

    def __init__(
        self, path: str | os.PathLike[str] = DEFAULT_PATH, *, buffer_bytes: int = BUFFER_BYTES, **hello: Any
    ) -> None:
        self._lock = threading.Lock()
        self._log = _Log(buffer_bytes)
        self._link = _Link(path)
        self._next_try_ms = 0
        self._n_refused = 0
        self._last_error = ""
        self._is_closed = False
        if hello:
            self.hello(**hello)

    # --- what happens -------------------------------------------------------------------------

    def hello(self, **values: Any) -> None:
        """Who plays, for whom: `app`, `player`, `user`, `advertising`, `consent`, as in the protocol."""
        self.event("hello", protocol=1, **values)

    def playlist_item(self, media_id: str, *, play: str | None = None, **values: Any) -> None:
        """An item was loaded: `title`, `feedid`, `duration`, `live`.

        `play` is the key of this play; a player that may be restarted gives its own, and the same to go on.
        """
        self.event("playlistItem", mediaid=media_id, play=play, **values)

    def time(self, position: float, *, duration: float | None = None) -> None:
        """A tick of playback, seconds.  Without a duration it is live."""
        self.event("time", position=position, duration=duration)

    def seek(self, offset: float | None = None) -> None:
        """A seek began, to `offset`."""
        self.event("seek", offset=offset)

    def seeked(self) -> None:
        """The seek ended."""
        self.event("seeked")

    def pause(self) -> None:
        """Playback stands still."""
        self.event("pause")

    def play(self) -> None:
        """Playback goes on."""
        self.event("play")

    def playback_rate_changed(self, rate: float) -> None:
        """Playback is `rate` times as fast as life."""
        self.event("playbackRateChanged", playbackRate=rate)

    def ad_impression(self) -> None:
        """The first frame of an ad was shown."""
        self.event("adImpression")

    def complete(self) -> None:
        """The item played to its end."""
        self.event("complete")

    def remove(self) -> None:
        """The item or the player was closed."""
        self.event("remove")

    def event(self, name: str, /, **values: Any) -> None:
        """Any event of the protocol, which happens now.  None leaves a value out, but in a hello."""
        self._do(lambda: self._take(name, values))

    # --- the rest -----------------------------------------------------------------------------

    def pump(self) -> None:
        """Go on with what is waiting.  Worth a call now and then while nothing happens."""
        self._do(lambda: None)

    def close(self, wait_s: float = 0.0) -> None:
        """The player is closed: its play ends.  Waits up to `wait_s` for the daemon to have all of it."""
        if self._log.is_playing:
            self.remove()
        try:
            deadline_s = time.monotonic() + wait_s
            while self.statistics().n_unacknowledged and time.monotonic() < deadline_s:
                self._link.wait_readable(_POLL_MS)
                self.pump()
        except Exception as exc:
            self._refuse(f"close: {exc}")
        with self._lock:
            self._is_closed = True
            self._link.close()

    def statistics(self) -> Statistics:
        """Counts since the client was made."""
        with self._lock:
            return Statistics(
                self._link.is_open,
                self._log.n_added,
                self._log.n_unacknowledged,
                self._log.n_dropped,
                self._n_refused,
                self._link.n_connections,
                self._last_error or self._link.error,
            )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _do(self, act: Callable[[], None]) -> None:
        # Whatever is wrong here must never become the player's trouble.
        try:
            with self._lock:
                if not self._is_closed:
                    act()
                    self._turn(_now_ms())
        except Exception as exc:
            self._refuse(f"{type(exc).__name__}: {exc}")

    def _take(self, name: str, values: dict[str, Any]) -> None:
        # In a hello None says something: nobody is logged in any more.
        given = {key: value for key, value in values.items() if value is not None or name == "hello"}
        given = {key: value for key, value in given.items() if key not in _OURS}
        if name == "playlistItem":
            given.setdefault("play", os.urandom(8).hex())
        body = json.dumps({"event": name, **given}, separators=(",", ":")).encode()[:-1]
        if len(body) > _MAX_LINE_BYTES - 64:
            self._refuse(f"{name}: a line may have {_MAX_LINE_BYTES} bytes")
        else:
            self._log.add(name, body, _now_ms())

    def _turn(self, now_ms: int) -> None:
        """What can be done at once: read replies, connect again, write."""
        for reply in self._link.read():
            self._hear(reply)
        self._log.tidy(now_ms)
        if not self._link.is_open and not self._reconnect(now_ms):
            return
        n_left = MAX_LINES_A_CALL
        while n_left > 0 and self._link.flush():
            lines = self._log.next_lines(min(64, n_left))
            if not lines:
                return
            n_left -= 64
            self._link.write(b"".join(lines))

    def _reconnect(self, now_ms: int) -> bool:
        if now_ms < self._next_try_ms:
            return False
        self._next_try_ms = now_ms + _RETRY_MS
        if not self._link.connect():
            return False
        self._log.rewind()
        self._link.write(b"".join(self._log.preamble(now_ms)))
        return True

    def _hear(self, reply: dict[str, Any]) -> None:
        number = reply.get("ack")
        if isinstance(number, int):
            self._log.acknowledge(number)
        elif "error" in reply:
            self._refuse(f"{reply['error']}: {reply.get('message', '')}")

    def _refuse(self, why: str) -> None:
        self._n_refused += 1
        self._last_error = why[:500]


class _Line(NamedTuple):
    """One event: `body` is its JSON without the final brace.  `number` is its id where it asks for an ack."""

    number: int
    at_ms: int
    name: str
    body: bytes
    asks: bool

    def render(self) -> bytes:
        ack_id = b',"id":%d' % self.number if self.asks else b""
        return b'%s,"at":%d.%03d%s}\n' % (self.body, *divmod(self.at_ms, 1000), ack_id)


class _Log:
    """What the daemon may not have on flash, oldest first: written lines, then unwritten ones.

    `_hello` and `_item` are what stands before the oldest line; after a cut they come first.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._written: deque[_Line] = deque()
        self._unwritten: deque[_Line] = deque()
        self._n_bytes = 0
        self._hello: dict[str, Any] = {}
        self._item = b""
        self._last_at_ms = 0
        self._asked_ms = 0
        self._acknowledged = 0
        self.n_added = 0
        self.n_dropped = 0
        self.is_playing = False

    @property
    def n_unacknowledged(self) -> int:
        oldest = self._oldest  # Numbers have no gaps.
        return 0 if oldest is None else self.n_added - max(self._acknowledged, oldest.number - 1)

    def add(self, name: str, body: bytes, now_ms: int) -> None:
        """An event that happens now.  No two share an `at`: by it the daemon knows what it has."""
        at_ms = self._last_at_ms = max(now_ms, self._last_at_ms + 1)
        asks = name != "time" or at_ms >= self._asked_ms + _ACK_INTERVAL_MS
        self._asked_ms = at_ms if asks else self._asked_ms
        self.n_added += 1
        self.is_playing = name == "playlistItem" or (self.is_playing and name not in _ENDS)
        self._unwritten.append(_Line(self.n_added, at_ms, name, body, asks))
        self._n_bytes += len(body)
        while self._n_bytes > self._max_bytes:
            self._drop_oldest()

    def acknowledge(self, number: int) -> None:
        """Every ping of the events up to `number` is on flash; of a play that is over, that is all of it."""
        self._acknowledged = max(self._acknowledged, min(number, self.n_added))
        n_over = 0
        for idx, line in enumerate(self._written):
            if line.number <= self._acknowledged and (line.name in _ENDS or line.name == "playlistItem"):
                n_over = idx + (line.name in _ENDS)
        for _ in range(n_over):
            self._forget_oldest()

    def tidy(self, now_ms: int) -> None:
        """Forget what is safe, and drop what is too old to be believed."""
        while self._written and self._is_safe(self._written[0], now_ms):
            self._forget_oldest()
        while (oldest := self._oldest) is not None and oldest.at_ms < now_ms - _MAX_AT_AGE_MS:
            self._drop_oldest()

    def next_lines(self, n_lines: int) -> list[bytes]:
        """The next lines to write, up to `n_lines`; they count as written."""
        lines = [self._unwritten.popleft() for _ in range(min(n_lines, len(self._unwritten)))]
        self._written.extend(lines)
        return [line.render() for line in lines]

    def rewind(self) -> None:
        """The connection is lost: nobody knows what of the written lines has arrived."""
        self._unwritten.extendleft(reversed(self._written))
        self._written.clear()

    def preamble(self, now_ms: int) -> Iterator[bytes]:
        """What the oldest line stands on, as if said just before it."""
        at_ms = now_ms if self._oldest is None else self._oldest.at_ms - 1
        if self._hello:
            yield json.dumps(self._hello).encode() + b"\n"
        if self._item:
            yield _Line(0, at_ms, "playlistItem", self._item, asks=False).render()

    @property
    def _oldest(self) -> _Line | None:
        return (self._written or self._unwritten or (None,))[0]

    def _is_safe(self, line: _Line, now_ms: int) -> bool:
        return line.number <= self._acknowledged and line.at_ms < now_ms - _KEPT_MS

    def _drop_oldest(self) -> None:
        self.n_dropped += self._forget_oldest().number > self._acknowledged

    def _forget_oldest(self) -> _Line:
        line = (self._written or self._unwritten).popleft()
        self._n_bytes -= len(line.body)
        if line.name == "hello":
            self._hello.update(json.loads(line.body + b"}"))
        elif line.name == "playlistItem":
            self._item = line.body
        elif line.name in _ENDS:
            self._item = b""
        return line


class _Link:
    """A stream socket that never waits.  An error of it is the end of the connection, nothing else."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._outgoing = b""
        self._incoming = b""
        self.n_connections = 0
        self.error = ""

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def connect(self) -> bool:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(os.fspath(self._path))  # At once, or not at all: BlockingIOError when too many wait.
        except Exception as exc:
            self.error = f"cannot connect to {self._path}: {getattr(exc, 'strerror', None) or exc}"
            sock.close()
            return False
        self.error = ""
        self._socket, self._outgoing, self._incoming = sock, b"", b""
        self.n_connections += 1
        return True

    def write(self, data: bytes) -> None:
        """Put `data` on its way; call it only when the last `flush` was true."""
        self._outgoing += data
        self.flush()

    def flush(self) -> bool:
        """Whether all of it is written."""
        try:
            while self._socket is not None and self._outgoing:
                self._outgoing = self._outgoing[self._socket.send(self._outgoing, socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            return False
        except OSError:
            self.close()
        return self._socket is not None

    def read(self) -> Iterator[dict[str, Any]]:
        """The replies that are there."""
        if self._socket is None:
            return
        try:
            data = self._socket.recv(64 * 1024)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        for line in lines:
            yield _object(line)
        if not data or len(self._incoming) > _MAX_LINE_BYTES:
            self.close()

    def wait_readable(self, timeout_ms: int) -> None:
        sock = self._socket
        if sock is None:
            time.sleep(timeout_ms / 1000)
            return
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        poll.poll(timeout_ms)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _now_ms() -> int:
    # Rounded down: an event of the next millisecond would lie in the future.
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
