"""What passes, for whoever watches: events in, pings out.  Costs nothing while nobody does.

A watcher that does not keep up misses records, and is told how many: it never holds up a player.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import trio

from jwpingd import wire
from jwpingd.errors import PlayerError
from jwpingd.events import Hello, PlayEvent, Remove
from jwpingd.moment import Moment
from jwpingd.session import Session
from jwpingd.spool import Entry

MAX_HELD = 1000  # records that a watcher may be behind; some 300 KB

Record = dict[str, Any]


class Tap:
    """Each record has a `kind`: event, refused, ping, or missed (how many were).

    An event's `line` can be replayed.  Its player is named by the embed id that its pings carry, so
    that players of all connections are told apart, and a play that moved to another one is the same.
    """

    def __init__(self) -> None:
        self._watchers: list[_Watcher] = []

    async def watch(self) -> AsyncGenerator[Record, None]:
        """All that passes from now on, until closed."""
        watcher = _Watcher()
        self._watchers.append(watcher)
        try:
            while True:
                yield await watcher.next_record()
        finally:
            self._watchers.remove(watcher)

    def event(self, uid: int, session: Session, event: PlayEvent, moment: Moment) -> None:
        """A player was heard."""
        if self._watchers:
            line = wire.play_line(event, player=session.embed_id, at_ms=moment.boot_ms)
            self._tell({"kind": "event", "uid": uid, "line": line})

    def left(self, uid: int, session: Session, moment: Moment) -> None:
        """A player is gone for good, whether it said so or not."""
        if self._watchers and session.running is not None:
            self.event(uid, session, Remove(""), moment)

    def hello(self, uid: int, hello: Hello, *, user_hash: str | None) -> None:
        """A connection said who it is."""
        if self._watchers:
            self._tell({"kind": "event", "uid": uid, "line": wire.hello_line(hello, user_hash=user_hash)})

    def refused(self, uid: int, error: PlayerError, line: int) -> None:
        """A line was not taken.  Its text may hold anything and is not told."""
        if self._watchers:
            self._tell({"kind": "refused", "uid": uid, "error": error.code, "line": line})

    def pings(self, entries: Sequence[Entry]) -> None:
        """Pings are on their way to flash."""
        for entry in entries if self._watchers else ():
            self._tell({"kind": "ping", "at_ms": entry.boot_ms, "sa_ms": entry.sa_ms, "target": entry.target})

    def _tell(self, record: Record) -> None:
        for watcher in self._watchers:
            watcher.take(record)


class _Watcher:
    def __init__(self) -> None:
        self._held: deque[Record] = deque()
        self._n_missed = 0
        self._came = trio.Event()

    def take(self, record: Record) -> None:
        if len(self._held) < MAX_HELD:
            self._held.append(record)
        else:
            self._n_missed += 1
        self._came.set()

    async def next_record(self) -> Record:
        while not self._held and not self._n_missed:
            self._came = trio.Event()
            await self._came.wait()
        if self._held:
            return self._held.popleft()
        n_missed, self._n_missed = self._n_missed, 0
        return {"kind": "missed", "n": n_missed}
