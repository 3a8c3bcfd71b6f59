"""HTTP over trio: answers pings for a `Collector`, in the weather it is given."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from functools import partial

import trio

from jwpingd.collector.http1 import Refusal, Request, RequestReader, answer
from jwpingd.collector.intake import Collector
from jwpingd.collector.page import page
from jwpingd.collector.weather import Cut, Weather

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""The 43 bytes of a transparent GIF of one pixel."""

_PING_PATH = re.compile(r"/v1/[^/?]+/ping\.gif(\?.*)?")
_AFTER = re.compile(r"after=([0-9]{1,15})")
_IDLE_S = 75.0  # As long as common servers keep an idle connection (nginx).
_PARTING_S = 1.0  # Long enough for a local client to read why it was refused.
_BACKLOG = 128
_CHUNK_BYTES = 64 * 1024

_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket bound to `host`:`port` (0: any free port), not yet listening: `serve` does that.

    Raises OSError when the address cannot be had.
    """
    family, kind, protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


async def serve(
    listeners: Sequence[socket.socket],
    collector: Collector,
    weather: Weather,
    *,
    tls: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answers on bound sockets (see `bind`) until cancelled; closes them and every connection then.

    GET of a ping is taken by `collector` and answered with a GIF, `/report` with its report in JSON,
    `/` with a page for a browser, which asks `/live?after=N` for what is new.
    While `weather` is offline, connections are refused: nothing listens yet.
    """
    handle = partial(_talk, collector=collector, weather=weather)
    try:
        if weather.offline_s == 0:
            _listen(listeners)
        task_status.started()
        await trio.sleep(weather.offline_s)
        _listen(listeners)
        await trio.serve_listeners(handle, [_trio_listener(each, tls) for each in listeners])
    finally:
        for each in listeners:
            each.close()


def _listen(listeners: Sequence[socket.socket]) -> None:
    for each in listeners:
        each.listen(_BACKLOG)  # A second time it changes nothing.


def _trio_listener(
    bound: socket.socket, tls: ssl.SSLContext | None
) -> trio.SocketListener | trio.SSLListener[trio.SocketStream]:
    plain = trio.SocketListener(trio.socket.from_stdlib_socket(bound))
    return plain if tls is None else trio.SSLListener(plain, tls, https_compatible=True)


async def _talk(stream: _Stream, *, collector: Collector, weather: Weather) -> None:
    """One connection, to its end.  What the client does to it never becomes an error of ours."""
    reader = RequestReader()
    try:
        async with stream:
            while await _answer_next(stream, reader, collector, weather):
                pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def _answer_next(
    stream: _Stream, reader: RequestReader, collector: Collector, weather: Weather
) -> bool:
    """Waits for a request and answers it; whether the connection is to go on."""
    while (request := reader.next_request()) is None:
        data = b""
        with trio.move_on_after(_IDLE_S):
            data = bytes(await stream.receive_some(_CHUNK_BYTES))
        if not data:
            return False
        reader.feed(data)
    if isinstance(request, Refusal):
        await _part(stream, request)
        return False
    if _PING_PATH.fullmatch(request.target):
        return await _answer_ping(stream, request, collector, weather)
    await _answer_other(stream, request, collector)
    return not request.is_last


async def _answer_ping(stream: _Stream, request: Request, collector: Collector, weather: Weather) -> bool:
    fate = weather.draw()
    await trio.sleep(weather.delay_s)
    if fate.cut is Cut.BEFORE_TAKING:
        _reset(stream)
        return False
    # A HEAD asks for the date only: it is no ping.
    if fate.status == 200 and request.method == "GET":
        collector.take(request.target, time.time_ns() // 1_000_000)
    if fate.cut is Cut.AFTER_TAKING:
        _reset(stream)
        return False
    if fate.status == 200:
        await _send(stream, request, 200, GIF, "image/gif")
    else:
        await _send(stream, request, fate.status, b"as ordered\n", "text/plain")
    return not request.is_last


async def _answer_other(stream: _Stream, request: Request, collector: Collector) -> None:
    path, _, query = request.target.partition("?")
    if path == "/report":
        await _send(stream, request, 200, _json(collector.report()), "application/json")
    elif path == "/live":
        n_seen = _AFTER.fullmatch(query)
        news = collector.since(int(n_seen[1]) if n_seen else 0)
        await _send(stream, request, 200, _json(news), "application/json")
    elif path == "/":
        await _send(stream, request, 200, page(), "text/html; charset=utf-8")
    else:
        await _send(stream, request, 404, b"pings go to /v1/<bucket>/ping.gif\n", "text/plain")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


async def _send(stream: _Stream, request: Request, status: int, body: bytes, content_type: str) -> None:
    has_body = request.method != "HEAD"
    await stream.send_all(
        answer(status, body, content_type, date_s=time.time(), has_body=has_body, is_last=request.is_last)
    )


async def _part(stream: _Stream, refusal: Refusal) -> None:
    """Says why, then reads on for a moment: closing on unread bytes would reset the answer away."""
    body = f"{refusal.message}\n".encode()
    with trio.move_on_after(_PARTING_S):
        await stream.send_all(
            answer(refusal.status, body, "text/plain", date_s=time.time(), has_body=True, is_last=True)
        )
        if isinstance(stream, trio.SocketStream):
            await stream.send_eof()
        while await stream.receive_some(_CHUNK_BYTES):
            pass


def _reset(stream: _Stream) -> None:
    """Closes so that the peer sees a reset: lingering for 0 s makes the kernel send RST."""
    plain = stream if isinstance(stream, trio.SocketStream) else stream.transport_stream
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.socket.close()
