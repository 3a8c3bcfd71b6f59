"""The collector's reading of HTTP/1.1, without sockets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.collector.http1 import (
    MAX_HEADER_BYTES,
    MAX_REQUEST_LINE_BYTES,
    Refusal,
    Request,
    RequestReader,
    answer,
)

GET = b"GET /v1/jwplayer6/ping.gif?e=s HTTP/1.1\r\nHost: box\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nhost: box\r\nconnection: Close\r\n\r\n"


def read(*pieces: bytes) -> list[Request | Refusal]:
    """Everything the reader makes of these pieces; a refusal is the last."""
    reader, found = RequestReader(), list[Request | Refusal]()
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.next_request()) is not None:
            found.append(request)
            if isinstance(request, Refusal):
                return found
    return found


def each_byte(data: bytes) -> list[bytes]:
    return [data[n : n + 1] for n in range(len(data))]


REQUESTS = [
    (GET, Request("GET", "/v1/jwplayer6/ping.gif?e=s", is_last=False)),
    (HEAD, Request("HEAD", "/", is_last=True)),
    (b"\r\n\r\n" + GET, Request("GET", "/v1/jwplayer6/ping.gif?e=s", is_last=False)),
    (b"GET / HTTP/1.0\r\n\r\n", Request("GET", "/", is_last=True)),
    (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Request("GET", "/", is_last=False)),
    (b"GET / HTTP/1.1\nHost: box\n\n", Request("GET", "/", is_last=False)),
    (b"GET / HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n", Request("GET", "/", is_last=False)),
    (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: a\r\nConnection: b, close\r\n\r\n",
        Request("GET", "/", True),
    ),
]


@pytest.mark.parametrize(("data", "expected"), REQUESTS)
def test_a_request_is_read_however_it_is_cut(data: bytes, expected: Request) -> None:
    """A request reads the same whole, byte by byte, and with another after it."""
    assert read(data) == [expected]
    assert read(*each_byte(data)) == [expected]
    assert read(data + GET) == [expected, REQUESTS[0][1]]


HOST = b"Host: box\r\n"
LONG = b"x" * MAX_REQUEST_LINE_BYTES

REFUSALS = [
    (b"POST / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    (b"GET /\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\n", 400),
    (b"GET http://box/ HTTP/1.1\r\n", 400),
    (b"GET /\xc3\xa9 HTTP/1.1\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : box\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b" folded\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"a: b\rc\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET /" + LONG, 414),
    (b"GET /" + LONG + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 4_000, 431),
]


@pytest.mark.parametrize(("data", "status"), REFUSALS)
def test_what_is_no_request_is_refused_for_good(data: bytes, status: int) -> None:
    """A refusal has its status, comes again, and nothing after it is read."""
    reader = RequestReader()
    reader.feed(data)
    for more in (b"", GET, b"\x00"):
        refusal = reader.next_request()
        assert isinstance(refusal, Refusal) and refusal.status == status
        reader.feed(more)
    size = 1 + len(data) // 400  # Byte by byte, but for the long ones.
    assert read(*(data[n : n + size] for n in range(0, len(data), size)))[-1] == refusal


@pytest.mark.parametrize("excess", [0, 1])
def test_the_limits_are_exact(excess: int) -> None:
    """A request line or header of just the limit is read, one byte more is refused."""
    target = b"/" + b"x" * (MAX_REQUEST_LINE_BYTES - len(b"GET / HTTP/1.1\r") + excess)
    field = b"a: " + b"x" * (MAX_HEADER_BYTES - len(HOST) - len(b"a: \r\n") + excess)
    for data in (
        b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + field + b"\r\n\r\n",
    ):
        assert isinstance(read(data)[0], Refusal if excess else Request)


fragments = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"\r\n", b"\n", b" ", b":", b"GET / HTTP/1.1\r\n", HOST, b"\r\n\r\n", GET, HEAD, LONG[:3_000]]
    ),
)


@given(st.lists(fragments, max_size=30))
@settings(max_examples=120, deadline=None, derandomize=True)
def test_any_bytes_make_requests_or_one_refusal(pieces: list[bytes]) -> None:
    """No bytes raise an error, and how they are cut decides nothing."""
    whole = b"".join(pieces)
    assert read(*pieces) == read(whole) == read(*(whole[n : n + 7] for n in range(0, len(whole), 7)))


def test_an_answer_is_whole() -> None:
    """An answer has date, type and length; to HEAD the length without the body."""
    with_body = answer(200, b"GIF", "image/gif", date_s=0, has_body=True, is_last=False)
    assert with_body == (
        b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: image/gif\r\n"
        b"Content-Length: 3\r\nCache-Control: no-store\r\n\r\nGIF"
    )
    without = answer(599, b"GIF", "image/gif", date_s=0, has_body=False, is_last=True)
    assert without.startswith(b"HTTP/1.1 599 Unnamed\r\n")
    assert b"Content-Length: 3\r\n" in without and without.endswith(b"Connection: close\r\n\r\n")
