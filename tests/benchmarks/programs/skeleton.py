"""The least a daemon of this kind can be: trio, a Unix listener, an open SQLite file.  argv: a directory.

With a URL, a number and a CA file it delivers that many pings first, by httpx imported late.
"""

import os
import socket
import sqlite3
import sys

import trio


async def deliver(url: str, n_pings: int) -> None:
    import ssl

    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    import httpx

    context = ssl.create_default_context(cafile=sys.argv[4])
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        for n in range(n_pings):
            await client.get(f"{url}/v1/skeleton/ping.gif?n={n}")


async def main() -> None:
    directory = sys.argv[1]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{directory}/s")
        listener.listen()
        listener.setblocking(False)
        store = sqlite3.connect(f"{directory}/store")
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("CREATE TABLE IF NOT EXISTS ping(id INTEGER PRIMARY KEY, target TEXT)")
        if len(sys.argv) > 2:
            await deliver(sys.argv[2], int(sys.argv[3]))
        print(os.getpid(), flush=True)
        while True:
            await trio.lowlevel.wait_readable(listener)
            listener.accept()


trio.run(main)
