"""The transport for a collector without a proxy, held against httpx's own on real sockets."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple

import httpx
import pytest
import trio
import trio.testing
import trustme

from jwpingd.uplink.transport import MAX_HEAD_BYTES, MAX_INTERIM_ANSWERS, DirectTransport
from tests.processes import free_port
from tests.test_uplink_http import GIF, Script, Server, Stream, answer_gif, serving

pytestmark = pytest.mark.slow

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nGIF\r\n0\r\nTrailer: 1\r\n\r\n"
EXPIRY_S = 60.0


class Contexts(NamedTuple):
    """TLS of a server and of the client that trusts it; None where there is none."""

    server: ssl.SSLContext | None
    client: ssl.SSLContext | None


@pytest.fixture(params=["http", "https"], scope="module")
def contexts(request: pytest.FixtureRequest) -> Contexts:
    if request.param == "http":
        return Contexts(None, None)
    ca = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("localhost").configure_cert(server)
    ca.configure_trust(client)
    return Contexts(server, client)


def a_request(server: Server, contexts: Contexts, method: str = "GET", **headers: str) -> httpx.Request:
    scheme = "http" if contexts.client is None else "https"
    return httpx.Request(
        method,
        f"{scheme}://localhost:{server.port}/v1/ping.gif?e=s",
        headers={"Host": "collector", "Accept": "*/*"} | headers,
        stream=httpx.ByteStream(b""),
        extensions={"timeout": {"connect": 5.0}},
    )


def direct(server: Server, contexts: Contexts) -> DirectTransport:
    return DirectTransport(a_request(server, contexts).url, contexts.client, EXPIRY_S)


def of_httpx(_: Server, contexts: Contexts) -> httpx.AsyncHTTPTransport:
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=EXPIRY_S)
    return httpx.AsyncHTTPTransport(verify=contexts.client or True, trust_env=False, limits=limits)


async def outcome(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> object:
    """Status, headers and body; or the exception."""
    try:
        response = await transport.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        try:
            body = b"".join([chunk async for chunk in response.stream])
        finally:
            await response.stream.aclose()
    except httpx.TransportError as exc:
        return type(exc), str(exc)
    return response.status_code, response.headers.raw, body


def saying(*parts: bytes, hangs_up: bool = False) -> Script:
    """A server that says these parts, each in a packet of its own."""

    async def say(stream: Stream, head: bytes) -> None:
        for part in parts:
            await stream.send_all(part)
            await trio.testing.wait_all_tasks_blocked()
        if hangs_up:
            await stream.aclose()

    return say


SCRIPTS = {
    "an answer": answer_gif,
    "byte by byte": saying(*(bytes([byte]) for byte in GIF)),
    "in chunks": saying(OK + CHUNKS),
    "without a body": saying(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not modified": saying(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"),
    "after others that are none": saying(
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + GIF
    ),
    "and no more": saying(OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nGIF"),
    "to the end": saying(OK + b"\r\nGIF", hangs_up=True),
    "of another time": saying(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nGIF", hangs_up=True),
    "and then nothing": saying(GIF, hangs_up=True),
    "nothing": saying(hangs_up=True),
    "half a head": saying(OK[:5], hangs_up=True),
    "half a body": saying(OK + b"Content-Length: 3\r\n\r\nG", hangs_up=True),
    "half a chunk": saying(OK + CHUNKS[:-20], hangs_up=True),
    "no HTTP": saying(b"220 mail ready\r\n\r\n"),
    "two lengths": saying(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nGIF"),
    "another protocol": saying(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
    "no end of a head": saying(OK + b"X: " + bytes([120]) * (MAX_HEAD_BYTES + 1), hangs_up=True),
}


@pytest.mark.parametrize(
    ("method", "script"),
    [*(("GET", script) for script in SCRIPTS.values()), ("HEAD", saying(GIF[:-3]))],
    ids=[*SCRIPTS, "only the head"],
)
def test_it_does_what_httpx_does(contexts: Contexts, method: str, script: Script) -> None:
    """Whatever a server says, it gets the same bytes as from httpx, over as many connections.

    The answers and exceptions are the same, too, also those of the request after it.
    """

    async def two(make: Callable[[Server, Contexts], httpx.AsyncBaseTransport]) -> tuple[object, ...]:
        async with serving(contexts.server, script) as server:
            transport = make(server, contexts)
            found = []
            for _ in range(2):
                with trio.fail_after(10):
                    found.append(await outcome(transport, a_request(server, contexts, method)))
                await trio.testing.wait_all_tasks_blocked(0.01)  # Longer than the server's waits.
            await transport.aclose()
        return found, server.heads, server.n_connections

    async def main() -> None:
        assert await two(direct) == await two(of_httpx)

    trio.run(main)


def test_a_request_that_may_not_be_sent_is_not(contexts: Contexts) -> None:
    """A line break in a header is the caller's fault, and not a byte of it leaves."""

    async def main() -> None:
        async with serving(contexts.server) as server:
            transport = direct(server, contexts)
            with pytest.raises(httpx.LocalProtocolError):
                await transport.handle_async_request(a_request(server, contexts, Accept="a\r\nb: c"))
            assert await outcome(transport, a_request(server, contexts))
            await transport.aclose()
        assert len(server.heads) == 1

    trio.run(main)


@pytest.mark.parametrize("idle_s", [EXPIRY_S - 1, EXPIRY_S + 1])
def test_an_idle_connection_expires(contexts: Contexts, idle_s: float) -> None:
    """After the time it may idle, and not before, the next request goes over a new one."""
    clock = trio.testing.MockClock()

    async def main() -> None:
        async with serving(contexts.server) as server:
            transport = direct(server, contexts)
            for _ in range(3):
                await outcome(transport, a_request(server, contexts))
                clock.jump(idle_s)
            await transport.aclose()
        assert server.n_connections == (1 if idle_s < EXPIRY_S else 3)

    trio.run(main, clock=clock)


async def ask_twice_over_two_connections(contexts: Contexts, answer_twice: Script) -> None:
    """Each request gets the answer to itself, and what else was said costs the connection."""
    async with serving(contexts.server, answer_twice) as server:
        transport = direct(server, contexts)
        for _ in range(2):
            answer = await outcome(transport, a_request(server, contexts))
            assert isinstance(answer, tuple) and answer[0] == 200
        await transport.aclose()
    assert len(server.heads) == server.n_connections == 2


def test_what_comes_after_an_answer_is_no_answer(contexts: Contexts) -> None:
    """A server that answers twice has not answered the next request: that is asked on a new connection."""

    trio.run(ask_twice_over_two_connections, contexts, saying(GIF + GIF.replace(b"200", b"500")))


def test_what_comes_sealed_after_an_answer_is_no_answer() -> None:
    """A record of TLS that came with an answer, and is not opened yet, is no answer to the next request."""
    ca = trustme.CA()
    contexts = Contexts(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context())
    assert contexts.server is not None and contexts.client is not None
    ca.issue_cert("localhost").configure_cert(contexts.server)
    ca.configure_trust(contexts.client)

    async def answer_twice(stream: Stream, head: bytes) -> None:
        assert isinstance(stream, trio.SSLStream)
        raw = stream.transport_stream
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        await stream.send_all(GIF)
        await stream.send_all(GIF.replace(b"200", b"500"))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    trio.run(ask_twice_over_two_connections, contexts, answer_twice)


def test_a_body_that_is_not_wanted_costs_the_connection(contexts: Contexts) -> None:
    """Closed before its end, it leaves nothing that the next request could read."""

    async def main() -> None:
        async with serving(contexts.server, saying(GIF[:-2], GIF[-2:])) as server:
            transport = direct(server, contexts)
            for _ in range(2):
                response = await transport.handle_async_request(a_request(server, contexts))
                assert isinstance(response.stream, httpx.AsyncByteStream)
                await response.stream.aclose()
            await transport.aclose()
        assert len(server.heads) == server.n_connections == 2

    trio.run(main)


def test_a_request_that_is_given_up_lets_go_of_its_connection(contexts: Contexts) -> None:
    """At once, not with the next request: its server may be the one that is slow because it has too many."""

    async def main() -> None:
        has_asked, has_hung_up = trio.Event(), trio.Event()

        async def wait_for_the_end(stream: Stream, head: bytes) -> None:
            has_asked.set()
            assert await stream.receive_some() == b""
            has_hung_up.set()

        async with serving(contexts.server, wait_for_the_end) as server, trio.open_nursery() as nursery:
            transport = direct(server, contexts)
            nursery.start_soon(outcome, transport, a_request(server, contexts))
            await has_asked.wait()
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True), trio.fail_after(10):
                await has_hung_up.wait()

    trio.run(main)


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "timed out"])
def test_a_handshake_that_ends_early_leaves_no_socket(is_cancelled: bool) -> None:
    """Whether the caller gives up or the time is over: the socket is closed at once."""

    clock = trio.testing.MockClock()

    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        silent = Server(listeners[0].socket.getsockname()[1])
        contexts = Contexts(None, ssl.create_default_context())
        transport = direct(silent, contexts)
        request = a_request(silent, contexts)
        open_before = len(os.listdir("/proc/self/fd"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outcome, transport, request)
            accepted = await listeners[0].accept()
            assert await accepted.receive_some()  # its first word of the handshake
            if is_cancelled:
                nursery.cancel_scope.cancel()
            else:
                clock.jump(6.0)
        assert len(os.listdir("/proc/self/fd")) == open_before + 1
        assert await accepted.receive_some() == b""
        await trio.aclose_forcefully(accepted)
        await trio.aclose_forcefully(listeners[0])

    trio.run(main, clock=clock)


def test_who_is_not_there_is_told_apart() -> None:
    """A port where nobody listens, and a server that hangs up instead of a handshake: no connection."""

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async def main() -> None:
        contexts = Contexts(None, ssl.create_default_context())
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        ports = free_port(), listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, hang_up, listeners)
            for server in map(Server, ports):
                with pytest.raises(httpx.ConnectError):
                    await direct(server, contexts).handle_async_request(a_request(server, contexts))
            nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.parametrize("n_interim", [MAX_INTERIM_ANSWERS, MAX_INTERIM_ANSWERS + 1])
def test_interim_answers_have_an_end(contexts: Contexts, n_interim: int) -> None:
    """As many as may be are passed over, all in one packet or not; one more, and the connection is left."""

    async def main() -> None:
        script = saying(n_interim * b"HTTP/1.1 103 Early Hints\r\n\r\n", GIF)
        async with serving(contexts.server, script) as server:
            transport = direct(server, contexts)
            with trio.fail_after(20):
                found = await outcome(transport, a_request(server, contexts))
            await transport.aclose()
        if n_interim == MAX_INTERIM_ANSWERS:
            assert isinstance(found, tuple) and found[0] == 200
        else:
            assert found == (httpx.RemoteProtocolError, "more than 16 interim answers (1xx)")

    trio.run(main)
