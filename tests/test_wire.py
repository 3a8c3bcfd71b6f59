"""Lines in and replies out: how the stream is cut, what a line must be, and how an answer is written."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from jwpingd import wire
from jwpingd.errors import BadEvent, BadJson, LineTooLong, TooManyConnections, UnknownEvent
from jwpingd.events import Pause, Play, Time
from jwpingd.wire import LineReader, Received, Rejected
from tests.socket_lines import comparable, event_of, of_kind, only, read, refusal_of

PLAY = b'{"event":"play"}'


# --- the stream -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"", []),
        (b"\n\n\n", []),
        (b" \t\r\n", []),
        (PLAY + b"\n", [Play("")]),
        (PLAY + b"\r\n", [Play("")]),
        (b"\n\r\n" + PLAY + b"\n\n", [Play("")]),
        (b"\xef\xbb\xbf" + PLAY + b"\n", [Play("")]),
        (b"\xef\xbb\xbf\n" + PLAY + b"\n", [Play("")]),
        (b" \t" + PLAY + b" \t \r\n", [Play("")]),
        (PLAY + b'\n{"event":"pause"}\n', [Play(""), Pause("")]),
        (PLAY, [Play("")]),
        (PLAY + b"\n" + PLAY, [Play(""), Play("")]),
    ],
)
def test_lines(data: bytes, events: list[object]) -> None:
    """A line ends at the newline or with the connection; empty lines say nothing."""
    for results in (read(data), read(*(bytes([byte]) for byte in data))):
        received = [result.event for result in results if isinstance(result, Received)]
        assert list(map(of_kind, received)) == list(map(of_kind, events))
        assert not [result for result in results if isinstance(result, Rejected)]


def test_line_numbers() -> None:
    """Lines are counted as an editor counts them: empty, over-long and bad ones too."""
    data = PLAY + b"\n\nnope\n" + b"x" * 100 + b"\n" + PLAY + b"\n{}"
    expected = [(Received, 1), (Rejected, 3), (Rejected, 4), (Received, 5), (Rejected, 6)]
    for pieces in ([data], [bytes([byte]) for byte in data]):
        results = read(*pieces, max_line_bytes=50)
        assert [(type(result), result.line) for result in results] == expected


def test_byte_order_mark_only_at_the_start() -> None:
    """A byte order mark is taken before the first line and nowhere else."""
    first, second = read(b"\xef\xbb\xbf" + PLAY + b"\n\xef\xbb\xbf" + PLAY + b"\n")
    assert isinstance(first, Received)
    assert isinstance(second, Rejected) and isinstance(second.error, BadJson)


@pytest.mark.parametrize(
    "rest", [b"{", b'{"event":"play"', b'{"event":"hello","user":{"token":"s3cret', b"\xff"]
)
def test_a_connection_that_ends_within_a_line(rest: bytes) -> None:
    """Half a line at the end is told as such, not as a mistake of the player."""
    good, half = read(PLAY + b"\n" + rest)
    assert isinstance(good, Received) and isinstance(half, Rejected)
    assert (type(half.error), str(half.error)) == (BadJson, "the connection ended within a line")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_limit_is_exact(end: bytes) -> None:
    """A line of exactly the limit is taken, one byte more is not; only the newline is not counted."""
    limit = 64
    fitting = PLAY.ljust(limit - len(end) + 1) + end
    assert isinstance(only_with_limit(fitting, limit), Received)
    over = only_with_limit(b" " + fitting, limit)
    assert isinstance(over, Rejected) and isinstance(over.error, LineTooLong)


def only_with_limit(data: bytes, limit: int) -> Received | Rejected:
    results = read(data, max_line_bytes=limit)
    assert comparable(read(*(bytes([byte]) for byte in data), max_line_bytes=limit)) == comparable(results)
    (result,) = results
    return result


def test_an_endless_line() -> None:
    """40 MB without a newline: one reply, at once, and never more than a line's worth of memory."""
    reader, piece = LineReader(16384), b"x" * 65536
    tracemalloc.start()
    results = [result for _ in range(640) for result in reader.feed(piece)]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [type(result.error) for result in results if isinstance(result, Rejected)] == [LineTooLong]
    assert peak_bytes < 1_000_000
    (after,) = reader.feed(b"x\n" + PLAY + b"\n")
    assert isinstance(after, Received) and after.line == 2


def test_an_over_long_line_that_never_ends() -> None:
    """The end of the connection within a line that was told to be too long adds nothing."""
    (result,) = read(b"x" * 30, b"x" * 30, max_line_bytes=50)
    assert isinstance(result, Rejected) and isinstance(result.error, LineTooLong)


# --- one line -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nope", "Expecting value: column 1"),
        (b"  nope", "Expecting value: column 3"),
        (b"{'event':'play'}", "column 2"),
        (b'{"event":"play",}', "column 17"),
        (b'{"event" "play"}', "Expecting ':' delimiter: column 10"),
        (b'{"event":}', "Expecting value: column 10"),
        (b'{"event":"play"', "column 16"),
        (b'{"event":"pl', "Unterminated string starting at: column 10"),
        (b'{"event":"\t"}', "Invalid control character at: column 11"),
        (b'{"event":"\x00"}', "Invalid control character at: column 11"),
        (b'{"event":"\\q"}', "column 11"),
        (b'{"event":"\\u12"}', "column 1"),
        (PLAY + PLAY, "more text after the object: column 17"),
        (PLAY + b"\x00", "more text after the object: column 17"),
        (PLAY + b"\xc2\xa0", "more text after the object: column 17"),
        (b"[]", "a line must hold one JSON object, { ... }"),
        (b"null", "a line must hold one JSON object, { ... }"),
        (b"NaN", "a line must hold one JSON object, { ... }"),
        (b'"{}"', "a line must hold one JSON object, { ... }"),
        (b'{"event":"\xff"}', "not UTF-8: byte 11"),
        (b'{"event":"\xed\xa0\x80"}', "not UTF-8: byte 11"),
        (PLAY.decode().encode("utf-16"), "not UTF-8: byte 1"),
        (b"\x00", "Expecting value: column 1"),
        (b"[" * 10_000, "nested too deeply"),
        (b'{"a":' * 3_000, "nested too deeply"),
        (b'{"a":' + b"9" * 5_000 + b"}", "an integer has too many digits"),
    ],
)
def test_bad_json(line: bytes, message: str) -> None:
    """What is not one JSON object in UTF-8 is refused, and the reply names the place."""
    rejected = refusal_of(line)
    assert type(rejected.error) is BadJson
    assert message in str(rejected.error)


def test_an_error_keeps_nothing_of_the_line() -> None:
    """A refusal refers to no other exception and no frame, for those hold the line and its secrets."""
    for line in (b'{"event":"\xff"}', b"{nope}", b'{"event":"time"}', b"[" * 10_000):
        error = refusal_of(line).error
        assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ('{"type":"play"}', Play("")),
        ('{"event":"play","type":"pause"}', Play("")),
        ('{"event":null,"type":"pause"}', Pause("")),
        ('{"event":"pause","event":"play"}', Play("")),
        ('{"event":"pl\\u0061y"}', Play("")),
        ('{"event":"play","unknown":{"deep":[1,{"er":null}]},"":0}', Play("")),
        ('{"event":"time","position":9,"position":1}', Time("", 1000)),
    ],
)
def test_what_is_tolerated(line: str, event: object) -> None:
    """`type` stands in for `event`; unknown keys are ignored; of a key that stands twice the last counts."""
    assert of_kind(event_of(line)) == of_kind(event)


@pytest.mark.parametrize("name", ["bufferChange", "playlistitem", "PLAY", "", "hello ", "x" * 5000, "\ud800"])
def test_unknown_events(name: str) -> None:
    """An event that is not known is an error of its own kind, with a short message."""
    error = refusal_of({"event": name}).error
    assert type(error) is UnknownEvent
    assert len(str(error)) < 120


@pytest.mark.parametrize(
    "line", ["{}", '{"event":null}', '{"event":5}', '{"event":["play"]}', '{"event":{}}']
)
def test_no_event(line: str) -> None:
    """An object without a text under `event` or `type` is a bad event."""
    error = refusal_of(line).error
    assert type(error) is BadEvent
    assert str(error).startswith("event ")


# --- id and at ------------------------------------------------------------------------------


@pytest.mark.parametrize("ack_id", ["", "a", "x" * 128, "ä", "\ud800", 0, -1, 2**63, -(2**63), 2**64 - 1])
def test_ack_ids(ack_id: str | int) -> None:
    """A text or a whole number comes back exactly as it was sent."""
    result = only({"event": "play", "id": ack_id})
    assert isinstance(result, Received) and result.ack_id == ack_id
    reply = wire.ack(result.ack_id)
    assert json.loads(reply) == {"ack": ack_id}
    assert reply.endswith(b"}\n") and reply.count(b"\n") == 1


@pytest.mark.parametrize("ack_id", ["x" * 129, True, 1.5, 7.0, [], {}, 2**64, -(2**63) - 1, 10**4000])
def test_bad_ack_ids(ack_id: object) -> None:
    """Anything else is refused, and the reply carries no id."""
    rejected = refusal_of({"event": "play", "id": ack_id})
    assert type(rejected.error) is BadEvent and rejected.ack_id is None
    assert len(wire.error_reply(rejected)) < 300


@pytest.mark.parametrize(
    ("at", "at_ms"),
    [
        ("0", 0),
        ("1.0004", 1000),
        ("1.0006", 1001),
        ("86400", 86_400_000),
        ("-5", -5000),
        ("null", None),
        ("NaN", None),
        ("-Infinity", None),
        ("1e999", None),
        ("1e12", None),
        ("9" * 4000, None),
        ("true", None),
        ('"5"', None),
        ("[5]", None),
    ],
)
def test_at(at: str, at_ms: int | None) -> None:
    """`at` becomes whole milliseconds; what is no usable number is as good as absent."""
    result = only(f'{{"event":"play","at":{at}}}')
    assert isinstance(result, Received) and result.at_ms == at_ms


# --- replies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rejected", "reply"),
    [
        (Rejected(BadJson("why"), 3, None), b'{"error":"bad-json","message":"why","line":3}\n'),
        (Rejected(BadEvent("why"), 1, 7), b'{"error":"bad-event","message":"why","line":1,"id":7}\n'),
        (Rejected(BadEvent("why"), 1, ""), b'{"error":"bad-event","message":"why","line":1,"id":""}\n'),
        (
            Rejected(TooManyConnections("full"), 0, None),
            b'{"error":"too-many-connections","message":"full","line":0}\n',
        ),
        (
            Rejected(BadEvent("ä\n"), 1, "\ud800"),
            b'{"error":"bad-event","message":"\\u00e4\\n","line":1,"id":"\\ud800"}\n',
        ),
    ],
)
def test_error_replies(rejected: Rejected, reply: bytes) -> None:
    """An error reply is one line of ASCII JSON; it has the id where the line had one."""
    assert wire.error_reply(rejected) == reply


def test_a_bad_event_keeps_its_id() -> None:
    """A line whose id is fine and whose rest is not is refused under that id."""
    for line in ('{"event":"time","id":"a"}', '{"event":"nope","id":"a"}', '{"id":"a"}'):
        assert refusal_of(line).ack_id == "a"
