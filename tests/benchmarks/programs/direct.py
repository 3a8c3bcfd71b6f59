"""The shortest way with the same promise: line, commit, GET.  argv: directory, URL, CA file."""

import json
import socket
import sqlite3
import ssl
import sys

import httpx
import trio

LOG_BYTES = 256 << 10


def opened(directory: str) -> sqlite3.Connection:
    """A table and nothing else.  Its log is laid out: a commit that lengthens it takes twice as long."""
    store = sqlite3.connect(f"{directory}/store", isolation_level=None)
    for pragma in (
        "page_size = 512",
        "locking_mode = EXCLUSIVE",
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 400",
        f"journal_size_limit = {LOG_BYTES}",
    ):
        store.execute(f"PRAGMA {pragma}").fetchall()
    store.execute("CREATE TABLE ping(id INTEGER PRIMARY KEY, target TEXT)")
    with open(f"{directory}/store-wal", "ab") as log:
        log.write(bytes(LOG_BYTES - log.tell()))
    return store


async def main() -> None:
    directory, url, ca_file = sys.argv[1:]
    transport = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=ca_file))
    store = opened(directory)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{directory}/s")
        listener.listen()
        print("ready", flush=True)
        player, _ = listener.accept()
    player.setblocking(False)
    stream, held = trio.SocketStream(trio.socket.from_stdlib_socket(player)), b""
    while data := await stream.receive_some(65536):
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            target = f"/v1/jwplayer6/ping.gif?e={json.loads(line)['event']}&x={'x' * 450}"
            store.execute("INSERT INTO ping(target) VALUES (?)", (target,))
            response = await transport.handle_async_request(httpx.Request("GET", url + target))
            await response.aread()
            await response.aclose()


trio.run(main)
