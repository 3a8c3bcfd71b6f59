"""The collector on real sockets of the loopback, in fair weather and foul."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
import trustme

from jwpingd.collector import Collector, Weather, bind, serve
from jwpingd.collector.server import GIF
from jwpingd.collector.weather import Cut, Fate
from tests.collector_plays import good_play, made

pytestmark = pytest.mark.slow


@asynccontextmanager
async def running(
    weather: Weather, *, collector: Collector | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Collector, int]]:
    """A collector that serves on a free port while the block runs."""
    collector = collector or Collector()
    bound = bind("127.0.0.1", 0)
    port: int = bound.getsockname()[1]
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, [bound], collector, weather, tls=tls))
            yield collector, port
            nursery.cancel_scope.cancel()


def client(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)


async def talk(port: int, data: bytes) -> bytes:
    """Sends `data` and returns all that comes back until the server closes."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(data)
        await stream.send_eof()
        return b"".join([chunk async for chunk in stream])


def test_a_ping_is_answered_with_the_gif() -> None:
    """GET of a ping in any bucket: 200, the 43-byte GIF, a Date; the ping is taken as it was sent."""

    async def main() -> None:
        async with running(Weather()) as (collector, port), client(port) as http:
            for target in (good_play()[0], "/v1/other/ping.gif?a=b"):
                answer = await http.get(target)
                assert (answer.status_code, answer.content) == (200, GIF)
                assert answer.headers["content-type"] == "image/gif"
                assert parsedate_to_datetime(answer.headers["date"]).tzinfo is not None
            assert [each.target for each in collector.pings] == [good_play()[0], "/v1/other/ping.gif?a=b"]

    assert len(GIF) == 43 and GIF[:10] == b"GIF89a\x01\x00\x01\x00"
    trio.run(main)


def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order() -> None:
    """Many requests go over one connection, also without waiting for answers."""

    async def main() -> None:
        async with running(Weather()) as (collector, port):
            requests = [f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for target in good_play()]
            answers = await talk(port, b"".join(requests) + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answers.count(b"HTTP/1.1 200 OK\r\n") == answers.count(GIF) == len(requests)
            assert b"HTTP/1.1 404 Not Found\r\n" in answers.rpartition(GIF)[2]
            assert [each.target for each in collector.pings] == good_play()

    trio.run(main)


def test_a_head_is_no_ping() -> None:
    """HEAD is answered like GET, without body, and takes nothing."""

    async def main() -> None:
        async with running(Weather()) as (collector, port), client(port) as http:
            answer = await http.head(good_play()[0])
            assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "43")
            assert collector.n_pings == 0

    trio.run(main)


def test_the_report_is_json_and_anything_else_is_not_found() -> None:
    """/report is the collector's report; other paths and near misses are 404."""

    async def main() -> None:
        async with running(Weather()) as (collector, port), client(port) as http:
            for target in good_play():
                await http.get(target)
            assert (await http.get("/report")).json() == collector.report()
            for path in ("/v1/ping.gif", "/other", "/v1/a/b/ping.gif", "/v1/a/ping.gifs", "/v2/a/ping.gif"):
                assert (await http.get(path)).status_code == 404
            assert collector.n_pings == len(good_play())

    trio.run(main)


def test_rubbish_is_refused_and_the_server_lives_on() -> None:
    """Bytes that are no HTTP get a 400 and are hung up on, long ones a 414; the next client is served."""

    async def main() -> None:
        async with running(Weather()) as (_collector, port), client(port) as http:
            assert (await talk(port, b"\x16\x03\x01\n" * 9)).startswith(b"HTTP/1.1 400 ")
            assert (await talk(port, b"GET /" + b"x" * 200_000)).startswith(b"HTTP/1.1 414 ")
            assert await talk(port, b"") == await talk(port, b"GET / HT") == b""
            assert (await http.get(good_play()[0])).status_code == 200

    trio.run(main)


def test_failures_are_answered_and_not_taken() -> None:
    """--fail: the share is answered with its status, and those pings are not taken."""

    async def main() -> None:
        weather = Weather(fail_shares={503: 0.3, 404: 0.3}, seed=7)
        async with running(weather) as (collector, port), client(port) as http:
            statuses = Counter([(await http.get(made("i", n))).status_code for n in range(100)])
            assert statuses.keys() == {200, 404, 503} and min(statuses.values()) > 10
            assert collector.n_pings == statuses[200]

    trio.run(main)


@pytest.mark.parametrize(
    ("weather", "n_taken"), [(Weather(reset_share=1), 0), (Weather(lost_answer_share=1), 1)]
)
def test_resets_come_before_or_after_taking(weather: Weather, n_taken: int) -> None:
    """--reset: the connection is reset, the ping lost; --lose-answer: it was taken all the same."""

    async def main() -> None:
        async with running(weather) as (collector, port):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(f"GET {good_play()[0]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some(100)
            assert isinstance(caught.value.__cause__, ConnectionResetError)
            assert collector.n_pings == n_taken
            await stream.aclose()

    trio.run(main)


def test_answers_are_delayed() -> None:
    """--delay: no answer comes before so many seconds."""

    async def main() -> None:
        async with running(Weather(delay_s=0.1)) as (_collector, port), client(port) as http:
            before_s = trio.current_time()
            await http.get(good_play()[0])
            assert trio.current_time() - before_s >= 0.1

    trio.run(main)


def test_offline_refuses_connections_and_then_works() -> None:
    """--offline: connections are refused for so long, then pings are taken on the same port."""

    async def main() -> None:
        async with running(Weather(offline_s=0.2)) as (collector, port), client(port) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(good_play()[0])
            await trio.sleep(0.25)
            assert (await http.get(good_play()[0])).status_code == 200
            assert collector.n_pings == 1

    trio.run(main)


def test_a_collector_outlives_its_server() -> None:
    """Cancelled, the server frees its port; served there again, the same collector goes on counting."""

    async def main() -> None:
        async with running(Weather()) as (collector, port), client(port) as http:
            await http.get(good_play()[0])
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.1", port))
        async with running(Weather(), collector=collector) as (_same, port), client(port) as http:
            await http.get(good_play()[1])
        assert collector.n_pings == 2

    trio.run(main)


def test_pings_come_over_tls(tmp_path: Path) -> None:
    """With a certificate the same is spoken over TLS; a client that does not trust it harms nothing."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting, doubting = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(trusting)

    async def main() -> None:
        async with running(Weather(), tls=context) as (collector, port):
            url = f"https://127.0.0.1:{port}{good_play()[0]}"
            async with httpx.AsyncClient(verify=doubting, trust_env=False) as http:
                with pytest.raises(httpx.ConnectError):
                    await http.get(url)
            async with httpx.AsyncClient(verify=trusting, trust_env=False) as http:
                assert (await http.get(url)).content == GIF
            assert (await talk(port, b"GET / HTTP/1.1\r\n\r\n")) != GIF
            assert collector.n_pings == 1

    trio.run(main)


def test_the_same_seed_makes_the_same_weather() -> None:
    """Fates repeat with the seed, differ without, and have about the shares they were given."""

    def fates(seed: int) -> list[Fate]:
        weather = Weather(fail_shares={500: 0.25}, reset_share=0.25, lost_answer_share=0.25, seed=seed)
        return [weather.draw() for _ in range(2_000)]

    assert fates(1) == fates(1) != fates(2)
    shares = Counter(fates(1))
    assert shares.keys() == {Fate(), Fate(500), Fate(cut=Cut.BEFORE_TAKING), Fate(cut=Cut.AFTER_TAKING)}
    assert all(400 < n < 600 for n in shares.values())


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_weather_that_cannot_be_is_refused(share: float) -> None:
    """Shares outside 0 … 1, alone or together, and times below 0 are refused."""
    with pytest.raises(ValueError, match="shares"):
        Weather(reset_share=share)
    with pytest.raises(ValueError, match="shares"):
        Weather(reset_share=0.6, fail_shares={500: 0.6})
    with pytest.raises(ValueError, match="times"):
        Weather(delay_s=-1)
