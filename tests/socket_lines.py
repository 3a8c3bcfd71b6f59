"""What the tests of the socket protocol share: feeding lines and comparing what comes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from jwpingd.events import Event
from jwpingd.wire import LineReader, Received, Rejected

MAX_LINE_BYTES = 16384

Comparable = tuple[object, ...]


def read(*pieces: bytes, max_line_bytes: int = MAX_LINE_BYTES) -> list[Received | Rejected]:
    """All that one connection says in these pieces, its end included."""
    reader = LineReader(max_line_bytes)
    results = [result for piece in pieces for result in reader.feed(piece)]
    return results + reader.end()


def comparable(results: Iterable[Received | Rejected]) -> list[Comparable]:
    """Errors have no equality of their own: compare what is told of them."""
    return [
        (type(result.error), str(result.error), result.line, result.ack_id)
        if isinstance(result, Rejected)
        else (of_kind(result.event), result.ack_id, result.at_ms, result.line)
        for result in results
    ]


def of_kind(value: object) -> tuple[type, object]:
    """Named tuples of two kinds are equal where their fields are, such as Play and Pause: with the kind."""
    return type(value), value


def event_of(line: bytes | str | dict[str, object]) -> Event:
    """The event of one good line."""
    result = only(line)
    assert isinstance(result, Received), str(result.error)
    return result.event


def refusal_of(line: bytes | str | dict[str, object]) -> Rejected:
    """Why one bad line is refused."""
    result = only(line)
    assert isinstance(result, Rejected), result
    return result


def only(line: bytes | str | dict[str, object]) -> Received | Rejected:
    """What one line says; the same when it comes byte by byte."""
    if isinstance(line, dict):
        line = json.dumps(line)
    data = (line if isinstance(line, bytes) else line.encode()) + b"\n"
    results = read(data)
    assert comparable(read(*(bytes([byte]) for byte in data))) == comparable(results)
    (result,) = results
    return result
