"""Requests on real sockets: what reaches the wire, who is trusted, and what may not hang."""

from __future__ import annotations

import datetime
import errno
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
import trustme

from jwpingd.retry import Answer
from jwpingd.uplink import CollectorTime, Options, Outcome, Uplink
from jwpingd.uplink.connections import Connections
from jwpingd.uplink.failure import Failure, FailureKind, system_words
from jwpingd.uplink.http import MAX_BODY_BYTES, MAX_CHUNKS, tls_context
from tests.processes import free_port
from tests.uplink_fakes import FakeQueue, VirtualClock, inline, stamp

pytestmark = pytest.mark.slow

GIF = b"HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nContent-Length: 3\r\n\r\nGIF"
TARGET = "/v1/jwplayer6/ping.gif?e=t&t=It's%20(a)!*~%C3%A9%2f%2F+;,:@$[]|^`{}\"<>\\..&sa=1"

Stream = trio.abc.Stream
Script = Callable[[Stream, bytes], Awaitable[None]]


@dataclass
class Server:
    """A collector on loopback: the head of every request as it came, and who came."""

    port: int
    heads: list[bytes] = field(default_factory=list)
    n_connections: int = 0

    def request_lines(self) -> list[bytes]:
        return [head.partition(b"\r\n")[0] for head in self.heads]


@dataclass(frozen=True)
class Authority:
    """A private CA: its file, and the contexts of servers with its certificates."""

    file: Path
    good: ssl.SSLContext
    wrong_name: ssl.SSLContext
    expired: ssl.SSLContext
    early: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    day = datetime.timedelta(days=1)
    then, later = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2001, 2099))
    return Authority(
        path,
        _context(ca.issue_cert("localhost")),
        _context(ca.issue_cert("collector.example")),
        _context(ca.issue_cert("localhost", not_before=then, not_after=then + day)),
        _context(ca.issue_cert("localhost", not_before=later, not_after=later + day)),
    )


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def answer_gif(stream: Stream, head: bytes) -> None:
    await stream.send_all(GIF)


@asynccontextmanager
async def serving(context: ssl.SSLContext | None, script: Script = answer_gif) -> AsyncIterator[Server]:
    """A server for as long as the block lasts; `script` answers one request."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = Server(port=listeners[0].socket.getsockname()[1])

    async def serve(raw: trio.SocketStream) -> None:
        server.n_connections += 1
        stream: Stream = raw
        if context is not None:
            stream = trio.SSLStream(raw, context, server_side=True, https_compatible=True)
        try:
            while head := await _read_head(stream):
                server.heads.append(head)
                await script(stream, head)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # Clients that refuse our certificate hang up.
        finally:
            await trio.aclose_forcefully(raw)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield server
        nursery.cancel_scope.cancel()


async def _read_head(stream: Stream) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        chunk = await stream.receive_some()
        if not chunk:
            return b""
        head += chunk
    return head


async def until(is_so: Callable[[], bool]) -> None:
    """Let the others work until it is so."""
    while not is_so():
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def connections(server: Server, ca_file: Path | None, **options: object) -> AsyncIterator[Connections]:
    """Connections to the server, closed after the block."""
    collector_url = options.pop("collector_url", f"https://localhost:{server.port}")
    made = Options(collector_url=collector_url, ca_file=ca_file, **options)  # type: ignore[arg-type]  # test data
    opened = Connections(made, inline, None)
    yield opened
    await opened.close()


# --- bytes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/", "/stage/x'(1)%7e", "/stage/"])
def test_the_target_reaches_the_wire_as_it_is(authority: Authority, prefix: str) -> None:
    """Not a byte of path or query is encoded, decoded or normalised; a prefix stands before it."""

    async def main() -> None:
        async with serving(authority.good) as server:
            url = f"https://localhost:{server.port}{prefix}"
            async with connections(server, authority.file, collector_url=url) as asked:
                assert await asked.ask("GET", TARGET) == Answer(200, "image/gif")
        expected = f"GET {prefix.rstrip('/')}{TARGET} HTTP/1.1"
        assert server.request_lines() == [expected.encode("ascii")]
        assert f"\r\nHost: localhost:{server.port}\r\n".encode() in server.heads[0]

    trio.run(main)


def test_nothing_is_sent_that_was_not_asked_for(authority: Authority) -> None:
    """Four headers, the same each time: no cookies come back, no encodings are offered."""

    async def set_cookie(stream: Stream, head: bytes) -> None:
        await stream.send_all(GIF.replace(b"\r\n\r\n", b"\r\nSet-Cookie: id=1; Path=/\r\n\r\n"))

    async def main() -> None:
        async with (
            serving(authority.good, set_cookie) as server,
            connections(server, authority.file, user_agent="box/1.0") as asked,
        ):
            for _ in range(2):
                await asked.ask("GET", "/")
        assert server.heads[0] == server.heads[1]
        names = [line.partition(b":")[0] for line in server.heads[0].split(b"\r\n")[1:-2]]
        assert names == [b"Host", b"User-Agent", b"Accept", b"Accept-Encoding"]
        assert b"User-Agent: box/1.0\r\n" in server.heads[0]

    trio.run(main)


def test_a_redirect_is_not_followed(authority: Authority) -> None:
    """A redirect is an answer like others; nobody else is asked."""

    async def redirect(stream: Stream, head: bytes) -> None:
        await stream.send_all(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        async with serving(authority.good, redirect) as server, connections(server, authority.file) as asked:
            assert await asked.ask("GET", "/") == Answer(302)
        assert server.request_lines() == [b"GET / HTTP/1.1"]

    trio.run(main)


def test_plain_http() -> None:
    """A collector on loopback needs no TLS."""

    async def main() -> None:
        async with serving(None) as server:
            url = f"http://127.0.0.1:{server.port}"
            async with connections(server, None, collector_url=url) as asked:
                assert await asked.ask("GET", TARGET) == Answer(200, "image/gif")
        assert server.request_lines() == [f"GET {TARGET} HTTP/1.1".encode()]

    trio.run(main)


# --- connections ------------------------------------------------------------------------------------


def test_one_connection_per_worker(authority: Authority) -> None:
    """A drain over four workers opens at most four connections, and keeps them."""

    async def main() -> None:
        queue = FakeQueue(200)
        async with serving(authority.good) as server, trio.open_nursery() as nursery:
            options = Options(f"https://localhost:{server.port}", ca_file=authority.file, max_per_s=0)
            uplink = Uplink(queue, VirtualClock(), options, stamp=stamp, run_blocking=trio.to_thread.run_sync)
            nursery.start_soon(uplink.run)
            with trio.fail_after(30):
                await until(lambda: len(queue.delivered_ids) == 200)
            nursery.cancel_scope.cancel()
        assert 1 <= server.n_connections <= 4
        assert len(set(server.heads)) == len(server.heads) == 200

    trio.run(main)


def test_a_connection_that_was_closed_meanwhile_costs_no_ping(authority: Authority) -> None:
    """Servers close idle connections: the next request notices and opens another."""

    async def close_after(stream: Stream, head: bytes) -> None:
        await stream.send_all(GIF)
        await stream.aclose()

    async def main() -> None:
        async with (
            serving(authority.good, close_after) as server,
            connections(server, authority.file) as asked,
        ):
            for _ in range(3):
                assert isinstance(await asked.ask("GET", "/"), Answer)
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert server.n_connections == 3

    trio.run(main)


def test_after_a_network_change_connections_are_new(authority: Authority) -> None:
    """Retired ones are closed and not used again."""

    async def main() -> None:
        async with serving(authority.good) as server:
            async with connections(server, authority.file) as asked:
                await asked.ask("GET", "/")
                asked.retire()
                await asked.ask("GET", "/")
                assert server.n_connections == 2 and asked.n_open == 2
            assert asked.n_open == 0

    trio.run(main)


async def n_connections_of_two_requests(authority: Authority, answer: Script) -> int:
    """How many were made for two, both answered with 200."""
    async with serving(authority.good, answer) as server, connections(server, authority.file) as asked:
        for _ in range(2):
            assert await asked.ask("GET", "/") == Answer(200)
    return server.n_connections


@pytest.mark.parametrize("n_bytes", [MAX_BODY_BYTES - 1, 50 * MAX_BODY_BYTES])
def test_a_long_body_is_not_read(authority: Authority, n_bytes: int) -> None:
    """The status counts; beyond 64 KiB the connection is given up rather than read to the end."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n_bytes

    async def answer_long(stream: Stream, _: bytes) -> None:
        await stream.send_all(head + bytes(n_bytes))

    n_connections = trio.run(n_connections_of_two_requests, authority, answer_long)
    assert n_connections == (1 if n_bytes < MAX_BODY_BYTES else 2)


@pytest.mark.parametrize("n_chunks", [MAX_CHUNKS, 5 * MAX_CHUNKS])
def test_a_body_in_thousands_of_chunks_is_not_read(authority: Authority, n_chunks: int) -> None:
    """A byte in a chunk of its own costs as much as many: short as they are, there may not be too many."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def answer_in_chunks(stream: Stream, _: bytes) -> None:
        await stream.send_all(head + n_chunks * b"1\r\nx\r\n" + b"0\r\n\r\n")

    n_connections = trio.run(n_connections_of_two_requests, authority, answer_in_chunks)
    assert n_connections == (1 if n_chunks <= MAX_CHUNKS else 2)


def test_a_proxy_is_asked_for_a_tunnel(authority: Authority) -> None:
    """Through a proxy the target is as exact as without, and the certificate is the collector's."""

    async def main() -> None:
        async with serving(authority.good) as server, serving(None, _tunnel(repeat(server.port))) as proxy:
            proxy_url = f"http://127.0.0.1:{proxy.port}"
            async with connections(server, authority.file, proxy=proxy_url) as asked:
                assert await asked.ask("GET", TARGET) == Answer(200, "image/gif")
        assert proxy.request_lines() == [b"CONNECT localhost:%d HTTP/1.1" % server.port]
        assert server.request_lines() == [f"GET {TARGET} HTTP/1.1".encode()]

    trio.run(main)


def test_a_tunnel_whose_tls_failed_is_not_used_again(authority: Authority) -> None:
    """When the certificate is valid at last, as after the clock was set, pings leave through the proxy."""

    async def main() -> None:
        async with serving(authority.early) as early, serving(authority.good) as good:
            ports = chain([early.port] * 3, repeat(good.port))
            async with serving(None, _tunnel(ports)) as proxy:
                proxy_url = f"http://127.0.0.1:{proxy.port}"
                async with connections(good, authority.file, proxy=proxy_url) as asked:
                    for _ in range(3):
                        result = await asked.ask("GET", TARGET)
                        assert isinstance(result, Failure) and result.is_out_of_time
                    assert await asked.ask("GET", TARGET) == Answer(200, "image/gif")

    trio.run(main)


def _tunnel(ports: Iterator[int]) -> Script:
    """What a proxy does, each time to the next of `ports`."""

    async def serve(stream: Stream, head: bytes) -> None:
        await stream.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        onward = await trio.open_tcp_stream("127.0.0.1", next(ports))
        async with onward, trio.open_nursery() as nursery:
            nursery.start_soon(_pump, onward, stream)
            await _pump(stream, onward)
            nursery.cancel_scope.cancel()

    return serve


async def _pump(source: Stream, sink: Stream) -> None:
    while chunk := await source.receive_some():
        await sink.send_all(chunk)


def test_a_proxy_that_refuses_says_nothing_about_the_ping() -> None:
    """Its 407 is not the collector's 4xx: the ping is kept."""

    async def refuse(stream: Stream, head: bytes) -> None:
        await stream.send_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        async with serving(None, refuse) as proxy:
            proxy_url = f"http://user:secret@127.0.0.1:{proxy.port}"
            async with connections(proxy, None, proxy=proxy_url) as asked:
                result = await asked.ask("GET", "/")
        assert isinstance(result, Failure) and result.kind is FailureKind.UNREACHABLE
        assert "secret" not in repr(result) and "407" in result.text
        assert f"through the proxy 127.0.0.1:{proxy.port}" in result.text

    trio.run(main)


# --- trust ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server_certificate", "is_known", "why", "outcome"),
    [
        ("good", False, "not accepted", Outcome.NO_ANSWER),
        ("wrong_name", True, "Hostname mismatch", Outcome.NO_ANSWER),
        ("expired", True, "certificate has expired", Outcome.OUT_OF_TIME),
        ("early", True, "certificate is not yet valid", Outcome.OUT_OF_TIME),
    ],
)
def test_who_is_not_trusted_is_not_told(
    authority: Authority, server_certificate: str, is_known: bool, why: str, outcome: Outcome
) -> None:
    """A collector whose certificate is not valid gets no byte of a request, and the ping is tried again.

    Be it the authority, the name or the time: it shows as a certificate error.
    """

    async def main() -> None:
        queue = FakeQueue(1)
        async with serving(getattr(authority, server_certificate)) as server, trio.open_nursery() as nursery:
            options = Options(
                f"https://localhost:{server.port}",
                ca_file=authority.file if is_known else None,
                retry_first_s=0.01,
            )
            uplink = Uplink(queue, VirtualClock(), options, stamp=stamp, run_blocking=inline)
            nursery.start_soon(uplink.run)
            with trio.fail_after(10):
                await until(lambda: uplink.status().retries.get("certificate", 0) >= 3)
            status = uplink.status()
            assert status.is_certificate_error and why in status.last_error and not status.is_online
            assert await uplink.time_of_collector() == CollectorTime(outcome)
            nursery.cancel_scope.cancel()
        assert server.heads == [] and server.n_connections >= 4
        assert list(queue.waiting) == [1]

    trio.run(main)


def test_the_date_comes_over_verified_tls(authority: Authority) -> None:
    """A HEAD of the collector's root; what a HEAD says of a body is not waited for."""

    async def tell_date(stream: Stream, head: bytes) -> None:
        await stream.send_all(
            b"HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 12:00:00 GMT\r\nContent-Length: 9\r\n\r\n"
        )

    async def main() -> None:
        async with serving(authority.good, tell_date) as server:
            options = Options(f"https://localhost:{server.port}/stage", ca_file=authority.file)
            uplink = Uplink(FakeQueue(), VirtualClock(), options, stamp=stamp, run_blocking=inline)
            assert await uplink.time_of_collector() == CollectorTime(Outcome.ANSWERED, 784_123_200.0)
            await uplink._connections.close()  # Else `run` does it, which is not needed here.
        assert server.request_lines() == [b"HEAD /stage/ HTTP/1.1"]

    trio.run(main)


def test_a_private_authority_is_the_only_one(authority: Authority) -> None:
    """`ca_file` replaces the system's authorities."""
    context = tls_context(authority.file)
    assert len(context.get_ca_certs()) == 1


def test_verification_is_always_on(authority: Authority, tmp_path: Path) -> None:
    """Whatever the certificates come from, names and chains are checked."""
    (tmp_path / "0123abcd.0").touch()
    for context in (tls_context(authority.file), tls_context(None), tls_context(None, tmp_path)):
        assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


@pytest.mark.skipif(
    not shutil.which("openssl") and "CI" not in os.environ, reason="makes the hashed links with openssl"
)
def test_hashed_certificates_are_looked_up_on_demand(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With hashed links nothing is read beforehand, and the chain is verified all the same."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(authority.file, tmp_path / "ca.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    context = tls_context(None, tmp_path)
    assert context.get_ca_certs() == []

    async def main() -> None:
        async with serving(authority.good) as server:
            raw = await trio.open_tcp_stream("127.0.0.1", server.port)
            stream = trio.SSLStream(raw, context, server_hostname="localhost", https_compatible=True)
            await stream.do_handshake()
            await stream.aclose()

    trio.run(main)


def test_without_hashed_certificates_the_default_store_is_used(tmp_path: Path) -> None:
    """An empty or missing directory is no trust store: the system's own is."""
    default = ssl.create_default_context()
    assert tls_context(None, tmp_path / "none").cert_store_stats() == default.cert_store_stats()


# --- what may not hang ------------------------------------------------------------------------------


async def _say_nothing(stream: Stream, head: bytes) -> None:
    await trio.sleep_forever()


async def _trickle_head(stream: Stream, head: bytes) -> None:
    for byte in GIF * 100:
        await stream.send_all(bytes([byte]))
        await trio.sleep(0.01)


async def _trickle_body(stream: Stream, head: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    await _trickle_head(stream, head)


async def _break_head(stream: Stream, head: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Le")
    await stream.aclose()


async def _break_body(stream: Stream, head: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nx")
    await stream.aclose()


async def _reset(stream: Stream) -> None:
    """Not closed in order: with a TCP reset, as routers and firewalls do."""
    assert isinstance(stream, trio.SSLStream) and isinstance(stream.transport_stream, trio.SocketStream)
    sock = stream.transport_stream.socket
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def _reset_head(stream: Stream, head: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Le")
    await _reset(stream)


async def _reset_body(stream: Stream, head: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nx")
    await trio.testing.wait_all_tasks_blocked()  # A reset overtakes what nobody has read yet.
    await _reset(stream)


NO_ANSWER = Failure(
    FailureKind.NOT_TAKEN, "RemoteProtocolError", "Server disconnected without sending a response."
)
RESET = Failure(
    FailureKind.NOT_TAKEN, "ReadError", "socket connection broken: [Errno 104] Connection reset by peer"
)
TIMED_OUT = Failure(FailureKind.NOT_TAKEN, "timeout", "no answer within 0.5 s")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (_say_nothing, TIMED_OUT),
        (_trickle_head, TIMED_OUT),
        (_trickle_body, Answer(200)),
        (_break_body, Answer(200)),
        (_break_head, NO_ANSWER),
        (_reset_body, Answer(200)),
        (_reset_head, RESET),
    ],
    ids=["silent", "slow head", "slow body", "broken body", "broken head", "reset in body", "reset in head"],
)
def test_no_answer_takes_longer_than_the_timeout(
    authority: Authority, script: Script, expected: Answer | Failure
) -> None:
    """Not by sending a byte now and then either.  A status that came counts, whatever follows it."""

    async def warm_up_first(stream: Stream, head: bytes) -> None:
        # On a connection that stands, a slow machine cannot spend the time on the handshake.
        await (answer_gif if b"/warm" in head else script)(stream, head)

    async def main() -> None:
        async with (
            serving(authority.good, warm_up_first) as server,
            connections(server, authority.file, timeout_s=0.5) as asked,
        ):
            while not isinstance(await asked.ask("GET", "/warm"), Answer):
                pass
            with trio.fail_after(5):
                assert await asked.ask("GET", "/") == expected

    trio.run(main)


def test_a_failed_connect_is_told_as_the_system_says_it(authority: Authority) -> None:
    """To whom, and why, in the system's words."""

    async def main() -> None:
        closed = Server(free_port())
        async with connections(closed, authority.file) as asked:
            result = await asked.ask("GET", "/")
            assert isinstance(result, Failure) and result.kind is FailureKind.UNREACHABLE
            assert result.text == f"no connection to localhost:{closed.port}: Connection refused"

    trio.run(main)


def test_what_the_system_said_is_found_at_the_bottom() -> None:
    """Of several addresses each reason once; a name that is not known; nothing where it said nothing."""
    tried = [
        OSError(errno.ENETUNREACH, "Network is unreachable"),
        *2 * [ConnectionRefusedError(111, "Refused")],
    ]
    failed = httpx.ConnectError("all attempts failed")
    failed.__cause__ = OSError("all attempts failed")
    failed.__cause__.__cause__ = ExceptionGroup("tried", tried)
    assert system_words(failed) == "Network is unreachable, Connection refused"
    assert system_words(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"
    assert system_words(httpx.ConnectTimeout("")) == ""


def test_a_silent_network_is_no_try_of_the_ping(authority: Authority) -> None:
    """A handshake that never ends is a failed connect."""

    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = Server(listeners[0].socket.getsockname()[1])
        async with connections(server, authority.file, timeout_s=0.2) as asked:
            with trio.fail_after(5):
                silent = await asked.ask("GET", "/")
            await trio.aclose_forcefully(listeners[0])
            refused = await asked.ask("GET", "/")
        for result, reason in ((silent, "ConnectTimeout"), (refused, "ConnectError")):
            assert isinstance(result, Failure)
            assert (result.kind, result.reason) == (FailureKind.UNREACHABLE, reason)

    trio.run(main)


def test_a_black_hole_is_tried_again(authority: Authority) -> None:
    """Somebody who takes the request and never answers gets it again, byte for byte."""
    n_asked = 0

    async def at_third(stream: Stream, head: bytes) -> None:
        nonlocal n_asked
        n_asked += 1
        if n_asked < 3:
            await trio.sleep_forever()
        await stream.send_all(GIF)

    async def main() -> None:
        queue = FakeQueue(1)
        async with serving(authority.good, at_third) as server, trio.open_nursery() as nursery:
            options = Options(
                f"https://localhost:{server.port}", ca_file=authority.file, timeout_s=0.4, retry_first_s=0.01
            )
            uplink = Uplink(queue, VirtualClock(), options, stamp=stamp, run_blocking=inline)
            nursery.start_soon(uplink.run)
            with trio.fail_after(10):
                await until(lambda: bool(queue.delivered_ids))
            assert uplink.status().retries["timeout"] == n_asked - 1 == 2
            nursery.cancel_scope.cancel()
        assert len(server.heads) == 3 and len(set(server.heads)) == 1

    trio.run(main)


# --- imports ----------------------------------------------------------------------------------------


def test_httpx_is_imported_late_and_alone() -> None:
    """Importing the uplink brings no httpx, and the first request brings no command line along."""
    program = (
        "import sys, jwpingd.uplink, jwpingd.uplink.connections as c\n"
        "assert 'httpx' not in sys.modules and 'h11' not in sys.modules\n"
        "c._load(jwpingd.uplink.Options('https://localhost'), None)\n"
        "assert sys.modules['httpx._main'] is None\n"
        "assert not {'click', 'rich', 'pygments'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parent.parent)
