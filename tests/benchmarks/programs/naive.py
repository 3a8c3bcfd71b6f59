"""The same stack as one would first write it: everything imported at the head, httpx's default client."""

import argparse
import json
import logging
import os
import socket
import sqlite3
import ssl
import sys
import tomllib

import httpcore
import httpx
import platformdirs
import trio

USED = (argparse, json, logging, ssl, tomllib, httpcore, platformdirs)


async def main() -> None:
    directory = sys.argv[1]
    client = httpx.AsyncClient()
    store = sqlite3.connect(f"{directory}/store")
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("CREATE TABLE IF NOT EXISTS ping(id INTEGER PRIMARY KEY, target TEXT)")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{directory}/s")
        listener.listen()
        listener.setblocking(False)
        print(os.getpid(), flush=True)
        while client is not None:
            await trio.lowlevel.wait_readable(listener)
            connection, _ = listener.accept()
            connection.close()


trio.run(main)
