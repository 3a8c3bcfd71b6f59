"""A queue, a clock and a transport for the tests of the uplink, which hold it to their own rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import trio
import trio.testing

from jwpingd.spool import Entry

T = TypeVar("T")


def an_entry(entry_id: int, *, sa_ms: int | None = 1_700_000_000_000, target: str = "") -> Entry:
    """A ping whose target ends in its id."""
    return Entry(
        id=entry_id,
        play="abcdefghijkl",
        kind="t",
        watched_s=10,
        target=target or f"/v1/jwplayer6/ping.gif?e=t&n={entry_id}",
        boot_id="b",
        boot_ms=0,
        sa_ms=sa_ms,
    )


def stamp(target: str, sa_ms: int) -> str:
    """As `ping.stamp`."""
    return f"{target}&sa={sa_ms}"


async def inline(work: Callable[[], T], /) -> T:
    """`run_blocking` without a thread: the mock clock takes a thread for idleness."""
    return work()


class VirtualClock:
    """The suspend-proof clock of a run on trio's mock clock."""

    def boot_s(self) -> float:
        return trio.current_time()

    async def sleep_until(self, boot_s: float) -> None:
        await trio.sleep_until(boot_s)


class FakeQueue:
    """A queue in memory.  It fails when an entry is claimed or settled twice."""

    def __init__(self, n_entries: int = 0) -> None:
        self.waiting: dict[int, Entry] = {}
        self.claimed: dict[int, Entry] = {}
        self.delivered_ids: list[int] = []
        self.set_aside_ids: dict[int, str] = {}
        self.n_claims = 0
        self.n_watching = 0
        self._last_id = 0
        self._has_more = True
        self._changed = trio.Event()
        self.put(n_entries)

    def put(self, n_entries: int = 1, **fields: object) -> None:
        """More entries of ascending id."""
        for _ in range(n_entries):
            self._last_id += 1
            self.waiting[self._last_id] = an_entry(self._last_id, **fields)  # type: ignore[arg-type]  # test data
        self._offer()

    def purge(self, entry_id: int) -> None:
        """The user opted out: the entry is gone, claimed or not."""
        self.waiting.pop(entry_id, None)
        self.claimed.pop(entry_id, None)

    async def claim(self, limit: int, *, after_id: int = 0, to_id: int | None = None) -> list[Entry]:
        self.n_claims += 1
        self._has_more = False
        await trio.lowlevel.checkpoint()
        last = self._last_id if to_id is None else to_id
        ids = [entry_id for entry_id in sorted(self.waiting) if after_id < entry_id <= last][:limit]
        for entry_id in ids:
            self.claimed[entry_id] = self.waiting.pop(entry_id)
        return [self.claimed[entry_id] for entry_id in ids]

    def delivered(self, entry_id: int) -> None:
        del self.claimed[entry_id]
        self.delivered_ids.append(entry_id)

    def set_aside(self, entry_id: int, reason: str) -> None:
        del self.claimed[entry_id]
        self.set_aside_ids[entry_id] = reason

    def release(self, entry_ids: Iterable[int]) -> None:
        for entry_id in entry_ids:
            if entry_id in self.claimed:
                self.waiting[entry_id] = self.claimed.pop(entry_id)
        self._offer()

    async def wait_for_more(self) -> None:
        self.n_watching += 1
        try:
            while not self._has_more:
                await self._changed.wait()
        finally:
            self.n_watching -= 1

    def last_id(self) -> int:
        return self._last_id

    def n_waiting(self) -> int:
        return len(self.waiting) + len(self.claimed)

    def _offer(self) -> None:
        self._has_more = True
        self._changed.set()
        self._changed = trio.Event()


@dataclass(frozen=True)
class Reply:
    """What the collector does with one request; an `error` is raised instead of an answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "image/gif"})
    after_s: float = 0.01
    error: Exception | None = None


OK = Reply()
DEAD = Reply(error=httpx.ConnectError("no route"), after_s=0.0)
SILENT = Reply(after_s=1e9)


@dataclass
class Request:
    """One request as it reached the transport."""

    entry_id: int
    started_s: float
    n_in_flight: int
    target: str


class ScriptedCollector:
    """Answers by rule: (entry id, how often it was asked before) → reply.  Makes transports."""

    def __init__(self, rule: Callable[[int, int], Reply] = lambda entry_id, n_before: OK) -> None:
        self.rule = rule
        self.requests: list[Request] = []
        self.n_asked: Counter[int] = Counter()
        self.n_in_flight = 0
        self.n_connections = 0
        self.n_closed = 0

    def __call__(self) -> httpx.AsyncBaseTransport:
        self.n_connections += 1
        return _ScriptedTransport(self)

    def ids(self) -> list[int]:
        """Which entries were asked about, in order."""
        return [request.entry_id for request in self.requests]

    def times(self, entry_id: int) -> list[float]:
        """When this entry was tried."""
        return [request.started_s for request in self.requests if request.entry_id == entry_id]


class _ScriptedTransport(httpx.AsyncBaseTransport):
    def __init__(self, collector: ScriptedCollector) -> None:
        self._collector = collector
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert not self._is_closed
        collector, target = self._collector, request.url.raw_path.decode("ascii")
        entry_id = int(target.partition("n=")[2].partition("&")[0] or 0)
        reply = collector.rule(entry_id, collector.n_asked[entry_id])
        collector.n_asked[entry_id] += 1
        collector.n_in_flight += 1
        collector.requests.append(Request(entry_id, trio.current_time(), collector.n_in_flight, target))
        try:
            await trio.sleep(reply.after_s)
        finally:
            collector.n_in_flight -= 1
        if reply.error is not None:
            raise reply.error
        return httpx.Response(reply.status, headers=reply.headers, content=b"GIF89a")

    async def aclose(self) -> None:
        self._is_closed = True
        self._collector.n_closed += 1
        await trio.lowlevel.checkpoint()


def virtual_run(main: Callable[[], Awaitable[None]]) -> None:
    """Run on a clock that jumps whenever everybody sleeps."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
