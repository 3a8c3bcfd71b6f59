"""The laws of the socket's reader, for any bytes in any pieces."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd import wire
from jwpingd.events import PlaylistItem, Seek, Time
from jwpingd.wire import LineReader, Received, Rejected
from tests.socket_lines import comparable, only, read

NAMES = [
    "hello",
    "playlistItem",
    "time",
    "seek",
    "seeked",
    "play",
    "pause",
    "playbackRateChanged",
    "adImpression",
    "complete",
    "remove",
    "nope",
]
KEYS = [
    "event",
    "type",
    "player",
    "id",
    "at",
    "position",
    "duration",
    "offset",
    "playbackRate",
    "mediaid",
    "title",
    "feedid",
    "live",
    "play",
    "item",
    "protocol",
    "app",
    "user",
    "advertising",
    "consent",
    "version",
    "hash",
    "token",
    "limit",
    "lmt",
    "ifa",
    "x",
]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.integers(-5, 5)
    | st.floats()
    | st.sampled_from([*NAMES, "9u6OHIO4", "0", "1", "full", ""])
    | st.text(st.characters(), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=6,
)
objects = st.fixed_dictionaries(
    {"event": st.sampled_from(NAMES) | values}, optional={key: values for key in KEYS if key != "event"}
)
lines = st.one_of(
    objects.map(lambda found: json.dumps(found).encode()),
    st.sampled_from(
        [b'{"event":"time","position":1.5}', b"", b"\r", b"\xef\xbb\xbf", b'{"event":', b"x" * 90]
    ),
    st.binary(max_size=40),
)
streams = st.lists(lines, max_size=6).map(b"\n".join)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """`stream` in pieces; a place counts from the start and wraps around."""
    ends = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(ends)]


@settings(max_examples=250, deadline=None, derandomize=True)
@given(streams, st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([1, 10, 60, 100, 16384]))
def test_pieces_make_no_difference(stream: bytes, places: list[int], limit: int) -> None:
    """However a stream is cut, the same is read, nothing is raised, and no more than a line is kept."""
    whole = comparable(read(stream, max_line_bytes=limit))
    assert comparable(read(*(bytes([byte]) for byte in stream), max_line_bytes=limit)) == whole
    reader, results = LineReader(limit), list[Received | Rejected]()
    for piece in cut(stream, places):
        results += reader.feed(piece)
        assert len(reader._held) <= limit
    assert comparable(results + reader.end()) == whole


@settings(max_examples=250, deadline=None, derandomize=True)
@given(objects)
def test_any_object(values: dict[str, Any]) -> None:
    """Any JSON object is an event or a refusal that can be written; what is taken is usable."""
    (result,) = read(json.dumps(values).encode() + b"\n")
    if isinstance(result, Rejected):
        reply = json.loads(wire.error_reply(result))
        assert reply["line"] == 1 and reply["message"] and reply.get("id") == result.ack_id
        return
    event = result.event
    times = {
        Time: lambda: [event.position_ms, event.duration_ms],  # type: ignore[union-attr]  # by its type
        Seek: lambda: [event.offset_ms],  # type: ignore[union-attr]  # by its type
    }.get(type(event), list)()
    assert all(time is None or (type(time) is int and abs(time) <= 10**14) for time in times)
    if isinstance(event, PlaylistItem):
        assert (event.title + event.player + event.play_key).encode()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(lines, max_size=5), st.lists(lines, max_size=5))
def test_a_bad_line_costs_only_itself(before: list[bytes], after: list[bytes]) -> None:
    """The good line in the middle is read whatever stands around it."""
    tick = b'{"event":"time","position":7,"id":"tick in the middle"}'
    stream = b"\n".join([*before, tick, *after])
    found = [result for result in read(stream) if result.ack_id == "tick in the middle"]
    assert found and isinstance(found[0], Received) and found[0].event == Time("", 7000)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(values, values, st.sampled_from(["user", "advertising"]))
def test_secrets_never_come_back(claim: object, consent: object, key: str) -> None:
    """What a hello says under `user` or `advertising` is in no reply, whatever else is wrong with it."""
    secret = "hush0x7f"
    for held in (secret, [secret], {"id": secret, "of": claim}, {"id": [secret, claim]}, {secret: claim}):
        result = only({"event": "hello", key: held, "consent": consent, "protocol": "one"})
        assert isinstance(result, Rejected)
        assert secret.encode() not in wire.error_reply(result)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(-1e11, 1e11), st.none() | st.floats())
def test_times_are_rounded_to_whole_milliseconds(position: float, duration: float | None) -> None:
    """A position is within half a millisecond of what was sent; a duration too, or there is none."""
    result = only({"event": "time", "position": position, "duration": duration})
    assert isinstance(result, Received) and isinstance(result.event, Time)
    # Half a millisecond, and what a float of this size cannot tell apart.
    assert abs(result.event.position_ms - position * 1000) <= 0.5 + abs(position) * 1e-12
    is_real = duration is not None and 1 <= duration <= 1e11
    assert (result.event.duration_ms is not None) == is_real
