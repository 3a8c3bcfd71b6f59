"""Damages stores in every way we could think of, and starts on them.

    python -m tests.faults.damaged_stores --stores 10000

Each store is opened in-process, a sample by a real daemon.  The laws: it opens; every ping that it
has is as it was written; the account balances, and tells of what is missing as far as it can be known;
new pings are taken; and all files together stay within the limit.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from jwpingd.errors import StoreError
from jwpingd.spool import Batch, Entry, Spool
from tests.faults.damage import DAMAGES
from tests.processes import BoxUnderTest, free_port
from tests.spool_values import SMALL, bytes_in, checkpoint, entry, is_balanced, opened, put, reopen

N_PINGS = 150
MAX_MEMORY_BYTES = 2 << 30  # of a process, with all that Python maps: reading a sparse file whole ends it
_PORTION = 100  # stores that one process damages at a time


@dataclass(slots=True)
class Tally:
    """What came of damaged stores: pings lost of all that were in them, by kind of damage."""

    n_stores: Counter[str] = field(default_factory=Counter)
    n_lost: Counter[str] = field(default_factory=Counter)
    n_untold: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    n_starts: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in what came of others."""
        self.n_stores += other.n_stores
        self.n_lost += other.n_lost
        self.n_untold += other.n_untold
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.faults += other.faults


def original(entry_id: int) -> Entry:
    """The ping that was stored under this id."""
    kind, play = ("gab", "play00000002") if entry_id % 10 == 0 else ("t", f"play{entry_id % 3:08d}")
    return entry(entry_id, kind=kind, play=play, n_bytes=100 + entry_id % 7 * 120)


def fill(directory: Path, *, is_closed: bool) -> None:
    """A store as a daemon leaves it that ended in good order, or as a power cut does, half in the log."""
    spool = opened(directory / "full")
    for first in range(1, N_PINGS + 1, 3):
        put(spool, *(original(idx) for idx in range(first, first + 3)))
        if first == N_PINGS // 2 + 1:
            reopen(spool)
    spool.commit(
        Batch(
            spool.last_batch + 1,
            checkpoints=(checkpoint("play00000001"),),
            set_aside=((7, "404"), (8, "404")),
        )
    )
    if is_closed:
        spool.close()
    shutil.copytree(directory / "full", directory / "store")
    if not is_closed:
        spool.close()


def damage_all(n_first: int, n_end: int, seed: int, directory: Path) -> Tally:
    """Stores number `n_first` up to `n_end`, each damaged in the way that its number says."""
    tally, names = Tally(), list(DAMAGES)
    with _little_memory():
        for number in range(n_first, n_end):
            name = names[number % len(names)]
            fate = random.Random(f"{seed} {number}")
            scratch = directory / f"{number}"
            shutil.copytree(directory / fate.choice(["closed", "cut"]) / "store", scratch)
            DAMAGES[name](scratch, fate)
            _open(tally, f"{name} (number {number})", name, scratch)
            shutil.rmtree(scratch)
    return tally


@contextmanager
def _little_memory() -> Iterator[None]:
    """Whoever takes more than a box has fails; afterwards, and for other processes, all is as before."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _open(tally: Tally, what: str, name: str, directory: Path) -> None:
    began_s = time.monotonic()
    try:
        spool = opened(directory)
    except Exception as exc:  # Whatever it is, it is what we look for.
        tally.faults.append(f"{what}: it does not open: {exc!r}")
        return
    tally.slowest_s = max(tally.slowest_s, time.monotonic() - began_s)
    tally.n_stores[name] += 1
    try:
        n_lost, is_told = look_through(spool, directory)
    except (StoreError, AssertionError) as exc:
        tally.faults.append(f"{what}: {exc!r}")
        return
    tally.n_lost[name] += n_lost
    tally.n_untold[name] += n_lost > 0 and not is_told


def look_through(spool: Spool, directory: Path) -> tuple[int, bool]:
    """Hold the store to the laws; how many pings are missing, and whether anybody was told."""
    spool.thorough_check()
    said = list(spool.repairs)
    account = spool.account()
    assert is_balanced(account), account
    rows = spool.waiting(1000)
    for row in rows:
        whole = original(row.id)
        seen = (row.target, row.sa_ms, row.play, row.kind, row.watched_s)
        assert seen == (whole.target, whole.sa_ms, whole.play, whole.kind, whole.watched_s), row
    assert len({row.id for row in rows}) == len(rows)
    put(spool, entry(spool.next_id() + N_PINGS))
    before = spool.account()
    spool.close()
    assert bytes_in(directory) <= SMALL.max_bytes, f"{bytes_in(directory)} bytes"
    again = opened(directory)
    assert again.account() == before and again.repairs == [], (before, again.account(), again.repairs)
    again.commit(Batch(again.last_batch + 1, delivered=tuple(row.id for row in again.waiting(1000))))
    assert is_balanced(again.account()) and again.account().waiting == 0
    again.close()
    return N_PINGS - 2 - len(rows), bool(said)


def start_daemon(number: int, seed: int, directory: Path) -> tuple[str, float, list[str]]:
    """A real daemon on a damaged store: the damage, seconds until it answers, and what is wrong."""
    name, fate = list(DAMAGES)[number % len(DAMAGES)], random.Random(f"{seed} {number}")
    home = directory / f"box-{number}"
    shutil.copytree(directory / fate.choice(["closed", "cut"]) / "store", home / "state")
    DAMAGES[name](home / "state", fate)
    box = BoxUnderTest(home, free_port(), f"spool.max_bytes={SMALL.max_bytes}", "uplink.start_jitter_s=3600")
    began_s = time.monotonic()
    try:
        box.start()
        took_s = time.monotonic() - began_s
        with closing(box.connect()) as player:
            player.send_and_wait({"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "x"})
        status = box.status()
        box.stop()
    except (AssertionError, OSError) as exc:
        box.kill()
        return name, 0.0, [f"{name} (start {number}): {exc!r}, {box.log.read_text()}"]
    gone = sum(status[key] for key in ("delivered", "waiting", "set_aside", "folded"))
    faults = [] if status["accepted"] == gone + sum(status["dropped"].values()) else [f"{name}: {status}"]
    faults += [f"{name}: {status['store']}"] if status["state"] != "running" else []
    faults += [f"{name}: a stack trace in the log"] if "Traceback" in box.log.read_text() else []
    return name, took_s, faults


def prepare(directory: Path) -> None:
    """The two stores that are damaged."""
    fill(directory / "closed", is_closed=True)
    fill(directory / "cut", is_closed=False)


def run(n_stores: int, n_starts: int, seed: int, directory: Path, n_processes: int = 2) -> Tally:
    """Damage and open so many."""
    prepare(directory)
    tally = Tally()
    firsts = range(0, n_stores, _PORTION)
    ends = [min(first + _PORTION, n_stores) for first in firsts]
    with ProcessPoolExecutor(n_processes) as pool:
        work = partial(damage_all, seed=seed, directory=directory)
        for done in pool.map(work, firsts, ends):
            tally.add(done)
            if sys.stderr.isatty():
                print(
                    f"\r{tally.n_stores.total()} stores, {len(tally.faults)} faults", end="", file=sys.stderr
                )
    for number in range(n_starts):
        _, _, faults = start_daemon(number, seed + 1, directory)
        tally.faults += faults
        tally.n_starts += 1
    return tally


def table(tally: Tally) -> str:
    """The result, as rows of Markdown."""
    rows = ["| damage | stores | pings in them | could not be read | nobody told |", "|---|---|---|---|---|"]
    for name in DAMAGES:
        n = tally.n_stores[name]
        rows.append(f"| {name} | {n} | {n * (N_PINGS - 2)} | {tally.n_lost[name]} | {tally.n_untold[name]} |")
    rows.append("")
    rows.append(
        f"{tally.n_stores.total()} stores opened, {tally.n_starts} of them by real daemons besides;"
        f" slowest opening {tally.slowest_s * 1000:.0f} ms; {len(tally.faults)} faults."
    )
    return "\n".join(rows)


def main(arguments: Sequence[str]) -> int:
    """Status 1 if a store did not open, or not in good order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stores", type=int, default=10_000, help="how many (default: %(default)s)")
    parser.add_argument(
        "--starts", type=int, default=len(DAMAGES), help="real daemons to start (default: one a damage)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the damage (default: 1)")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="damaged-stores-") as directory:
        tally = run(args.stores, args.starts, args.seed, Path(directory))
    print(table(tally))
    for fault in tally.faults[:30]:
        print(fault)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
