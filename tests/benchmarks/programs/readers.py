"""Servers that read lines, parse them, and do nothing with them.  argv: epoll, trio or rounds, socket path.

`rounds` is trio that looks at each client twice a second and lets the kernel hold the lines in between.
"""

import json
import select
import socket
import sys
from collections.abc import Callable
from functools import partial

ROUND_S = 0.5


def parse(held: bytes, data: bytes) -> bytes:
    """Parse the whole lines; what is left."""
    lines = (held + data).split(b"\n")
    for line in lines[:-1]:
        json.loads(line)
    return lines[-1]


def listener_at(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def by_epoll(path: str) -> None:
    listener = listener_at(path)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    clients: dict[int, tuple[socket.socket, bytes]] = {}
    print("ready", flush=True)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listener.fileno():
                client, _ = listener.accept()
                clients[client.fileno()] = (client, b"")
                poll.register(client, select.EPOLLIN)
                continue
            client, held = clients[descriptor]
            data = client.recv(65536)
            if data:
                clients[descriptor] = (client, parse(held, data))
            else:
                poll.unregister(client)
                client.close()
                del clients[descriptor]


def by_trio(path: str, *, is_in_rounds: bool = False) -> None:
    import trio

    async def read(client: socket.socket) -> None:
        held, stream = b"", trio.SocketStream(trio.socket.from_stdlib_socket(client))
        async with stream:
            while data := await stream.receive_some(65536):
                held = parse(held, data)
                if is_in_rounds:
                    await trio.sleep(ROUND_S - trio.current_time() % ROUND_S)

    async def main() -> None:
        listener = listener_at(path)
        print("ready", flush=True)
        async with trio.open_nursery() as nursery:
            while True:
                await trio.lowlevel.wait_readable(listener)
                client, _ = listener.accept()
                client.setblocking(False)
                nursery.start_soon(read, client)

    trio.run(main)


SERVERS: dict[str, Callable[[str], None]] = {
    "epoll": by_epoll,
    "trio": by_trio,
    "rounds": partial(by_trio, is_in_rounds=True),
}
SERVERS[sys.argv[1]](sys.argv[2])
