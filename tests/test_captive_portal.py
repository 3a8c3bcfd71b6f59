"""A hotel's portal answers in the collector's place, on real sockets, until somebody signs in."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.processes import BoxUnderTest, CollectorProcess, free_port, wait_until

pytestmark = pytest.mark.slow

ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream"}
PAGE = b"<!doctype html><title>Welcome</title><p>Please sign in"


class Portal(ThreadingHTTPServer):
    """Sends every second request to its page, and answers the others with the page itself."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Answering)
        self.paths: Counter[str] = Counter()


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Portal

    def do_GET(self) -> None:
        paths = self.server.paths
        paths[self.path] += 1
        if paths.total() % 2:
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/sign-in")
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def portal_on(port: int) -> Iterator[Portal]:
    with Portal(port) as portal:
        thread = threading.Thread(target=portal.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield portal
        finally:
            portal.shutdown()
            thread.join()


def test_a_portal_takes_no_ping(tmp_path: Path) -> None:
    """A portal's redirect or page is no delivery, nobody follows it, and all arrives in the end."""
    settings = ("uplink.retry_first_s=0.02", "uplink.retry_max_s=0.05", "uplink.max_per_s=0")
    box = BoxUnderTest(tmp_path, free_port(), *settings)
    with portal_on(box.port) as portal:
        box.start()
        with closing(box.connect()) as player:
            player.send_and_wait(*[ITEM] * 5)
        wait_until(lambda: portal.paths.total() >= 20, "the portal has answered often")
        status = box.status()
        assert status["accepted"] == status["waiting"] == 5 and not status["uplink"]["is_online"]
        assert set(status["uplink"]["retries"]) == {"HTTP 302", "text/html"}
        assert status["uplink"]["last_error"].endswith("perhaps the network wants a login")
        box.kill()  # Connections that stand would lead to the portal for as long as it lives.
    collector = CollectorProcess(box.port)
    box.start()
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered")
    status = box.status()
    assert status["accepted"] == status["delivered"] == 5
    box.stop()
    arrived = {made["target"] for made in collector.stop()}
    assert len(arrived) == 5 and set(portal.paths) <= arrived  # Byte for byte; and nobody asked for /sign-in.
