"""The least a client can be: the bytes of a GET, over trio's TLS on connections that stay.

argv: port, how many GETs, how many at a time, CA file.
"""

import ssl
import sys

import trio

PORT, N_GETS, N_CONNECTIONS = map(int, sys.argv[1:4])
REQUEST = b"GET /v1/jwplayer6/ping.gif?x=" + b"x" * 450 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY_BYTES = 43


async def ask(context: ssl.SSLContext, numbers: list[int]) -> None:
    stream = await trio.open_ssl_over_tcp_stream(
        "localhost", PORT, ssl_context=context, https_compatible=True
    )
    while numbers:
        numbers.pop()
        await stream.send_all(REQUEST)
        answer = b""
        while len(answer.partition(b"\r\n\r\n")[2]) < BODY_BYTES:
            answer += await stream.receive_some()


async def main() -> None:
    context, numbers = ssl.create_default_context(cafile=sys.argv[4]), list(range(N_GETS))
    async with trio.open_nursery() as nursery:
        for _ in range(N_CONNECTIONS):
            nursery.start_soon(ask, context, numbers)
    print("done", flush=True)


trio.run(main)
