"""A collector that does nothing but count, after a delay.  argv: port or 0, delay in s, certificate or "".

`/stats` answers with the counts as JSON, `/reset` clears them.  `first_s` and `last_s` are CLOCK_MONOTONIC
of the first request and the last answer; `all_s` is when every connection so far had its first request.
"""

import asyncio
import json
import ssl
import sys
import time
from typing import Any

GIF = b"GIF89a" + bytes(37)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nContent-Length: 43\r\n\r\n" + GIF
DELAY_S = float(sys.argv[2])
KEPT_TIMES = 10_000

stats: dict[str, Any] = {}


def reset() -> None:
    stats.update(n=0, n_connections=0, first_s=0.0, last_s=0.0, all_s=0.0, n_at_all=0, times=[])


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.held = b""
        self.is_new = True

    def data_received(self, data: bytes) -> None:
        *requests, self.held = (self.held + data).split(b"\r\n\r\n")
        for request in requests:
            path = request.split(b" ", 2)[1]
            if path in (b"/stats", b"/reset"):
                self._tell(path)
            elif DELAY_S:
                self._count()
                asyncio.get_running_loop().call_later(DELAY_S, self._answer)
            else:
                self._count()
                self._answer()

    def _count(self) -> None:
        now_s = time.monotonic()
        stats["n"] += 1
        stats["first_s"] = stats["first_s"] or now_s
        if self.is_new:
            self.is_new = False
            stats["n_connections"] += 1
            stats["all_s"], stats["n_at_all"] = now_s, stats["n"]
        if len(stats["times"]) < KEPT_TIMES:
            stats["times"].append(now_s)

    def _answer(self) -> None:
        self.transport.write(ANSWER)
        stats["last_s"] = time.monotonic()

    def _tell(self, path: bytes) -> None:
        body = json.dumps(stats).encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        if path == b"/reset":
            reset()
            self.transport.close()


async def main() -> None:
    context = None
    if sys.argv[3]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", int(sys.argv[1]), ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


reset()
asyncio.run(main())
