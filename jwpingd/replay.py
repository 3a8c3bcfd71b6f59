"""Event logs → pings, in virtual time: the session as it runs in the daemon, and nothing else.

A log is what a player writes to the socket, one JSON object a line, each with `at` in seconds from the
start.  A line that holds `events` instead is a recorded play (a name, a start, the events within it).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import BinaryIO, NamedTuple

from jwpingd import ping, wire
from jwpingd.errors import PlayerError
from jwpingd.events import Hello, PlayEvent
from jwpingd.moment import Moment
from jwpingd.ping import Ping
from jwpingd.session import Session

_BOOT = "replay"
_LINE_BYTES = 1 << 20  # a recorded line may be longer than a socket would take
MAX_LINE_BYTES = 32 << 20
"""Of a file: a day of playback, recorded as one line, has half of that."""


class Mistake(NamedTuple):
    """A line that a daemon would have refused."""

    line: int
    message: str


class Replayed(NamedTuple):
    """One ping: `at_ms` after the start of the log, its bucket, and the session's parameters."""

    at_ms: int
    bucket: str
    parameters: dict[str, str]


def replay(lines: Iterable[bytes]) -> Iterator[Replayed | Mistake]:
    """The pings of one event log, in the order in which they are made.

    Players are told apart as on one connection, which ends with the last line.
    """
    reader = wire.LineReader(_LINE_BYTES)
    players: dict[str, Session] = {}
    now_ms = 0
    for line in lines:
        for result in reader.feed(line.rstrip(b"\r\n") + b"\n"):
            if isinstance(result, wire.Rejected):
                yield Mistake(result.line, str(result.error))
                continue
            now_ms = max(now_ms, now_ms if result.at_ms is None else result.at_ms)
            moment = Moment(_BOOT, now_ms, None)
            yield from _shown(_wake_all(players, moment))
            if isinstance(result.event, Hello):
                continue
            try:
                yield from _shown(_handle(players, result.event, moment))
            except PlayerError as error:
                yield Mistake(result.line, str(error))
    end = Moment(_BOOT, now_ms, None)
    for session in players.values():
        yield from _shown(session.end(end))


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Its lines one by one; of one that is far too long only the beginning, which `replay` refuses."""
    while line := stream.readline(MAX_LINE_BYTES):
        yield line
        while len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)


def plays_in(lines: Iterable[bytes]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The event logs in one file, as it is read: (name, lines); use each up before asking for the next.

    A plain log is one play without a name; a file of recorded plays has one on each line.
    """
    read = ((line, _recorded(line)) for line in lines)
    for is_plain, run in groupby(read, key=lambda pair: pair[1] is None):
        if is_plain:
            yield "", (line for line, _ in run)
        else:
            yield from (recorded for _, recorded in run if recorded is not None)


def _recorded(line: bytes) -> tuple[str, list[bytes]] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("events"), list):
        return None
    return str(value.get("name", "")), [json.dumps(event).encode() for event in value["events"]]


def _wake_all(players: dict[str, Session], moment: Moment) -> list[Ping]:
    """Timers of all players that are due, in the order in which they fall due."""
    due = [
        session
        for session in players.values()
        if (session.wake_at_ms or moment.boot_ms + 1) <= moment.boot_ms
    ]
    due.sort(key=lambda session: session.wake_at_ms or 0)
    return [made for session in due for made in session.wake(moment)]


def _handle(players: dict[str, Session], event: PlayEvent, moment: Moment) -> list[Ping]:
    session = players.get(event.player)
    if session is None:
        session = Session(_Counter(len(players)))
        pings = session.handle(event, moment)
        players[event.player] = session
        return pings
    return session.handle(event, moment)


class _Counter:
    """Ids that are the same at every replay."""

    def __init__(self, player: int) -> None:
        self._player = player
        self._n_made = 0

    def __call__(self) -> str:
        self._n_made += 1
        return f"{self._player:04d}{self._n_made:08d}"


def _shown(pings: Iterable[Ping]) -> Iterator[Replayed]:
    for made in pings:
        bucket = ping.EVENTS[made.kind].bucket
        yield Replayed(made.moment.boot_ms, bucket, ping.session_parameters(made))
