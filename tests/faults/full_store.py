"""A daemon that starts with as much as the store can hold, beside one that starts with nothing."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

from jwpingd.spool import Limits
from tests.processes import BoxUnderTest, check_account, free_port
from tests.spool_values import entry, opened, put

_BATCH = 100


@dataclass(frozen=True, slots=True)
class Start:
    """Until the daemon answers, and what memory it takes then."""

    ready_s: float
    rss_bytes: int
    n_waiting: int

    def __str__(self) -> str:
        return f"ready after {self.ready_s:.2f} s, {self.rss_bytes >> 10} KiB, {self.n_waiting} pings wait"


@dataclass(frozen=True, slots=True)
class Starts:
    """With an empty store, a full one, and one that is full and damaged."""

    empty: Start
    full: Start
    damaged: Start

    def __str__(self) -> str:
        return f"empty: {self.empty}\nfull: {self.full}\nfull and damaged: {self.damaged}"


def fill(state: Path) -> int:
    """Put pings of usual size in until the first is dropped; how many were put in."""
    spool = opened(state, Limits())
    for first_id in itertools.count(1, _BATCH):
        # An item's own kind each: nothing can be folded.
        put(spool, *(entry(first_id + idx, kind="e", n_bytes=600) for idx in range(_BATCH)))
        if spool.account().dropped["full"]:
            spool.close()
            return first_id + _BATCH - 1
    raise AssertionError("a store has a limit")


def measure(directory: Path) -> Starts:
    """Start a real daemon on each."""
    empty = start(directory / "empty")
    full = directory / "full"
    fill(full / "state")
    started = start(full)
    with (full / "state/spool.db").open("r+b") as database:
        database.seek(300 * 512)
        database.write(bytes(4096))
        database.seek(512)
        database.write(bytes(512))
    return Starts(empty, started, start(full))


def start(home: Path) -> Start:
    """Start and stop the daemon of one box."""
    box = BoxUnderTest(home, free_port(), "uplink.start_jitter_s=3600")
    home.mkdir(exist_ok=True)
    began_s = time.monotonic()
    box.start()
    ready_s = time.monotonic() - began_s
    status = box.status()
    check_account(status)
    found = Start(ready_s, box.rss_bytes(), status["waiting"])
    box.stop()
    return found
