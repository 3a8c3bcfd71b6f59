"""Bytes that reach the flash: all that a loop device under ext4 is given, its journal included."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jwpingd.ping import fold
from jwpingd.spool import Batch, Entry, Limits, Spool
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, Part
from tests.benchmarks.stores import PING_BYTES
from tests.spool_values import checkpoint, entry

SECTOR_BYTES = 512
GROUP = 64  # as many as the writer deletes at once
KB = 1000
PLAY_S, REPORTS, CHECKPOINT_S = 2 * 3600, 32, 30
PLAYS_A_DAY = 2
EMMC_BYTES, ERASE_CYCLES, AMPLIFICATION = 4 * 10**9, 3000, 4
"""A 4 GB eMMC of MLC cells, and a controller that writes four times what it is given for small writes."""


def measure(bench: Bench) -> Part:
    tools = ("losetup", "mkfs.ext4", "mount", "umount")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        return Part("Flash", skipped=f"it takes root and {', '.join(missing or tools)}")
    n_pings = 100 if bench.is_quick else 1000
    try:
        with _loop_device(bench) as (directory, device):
            return Part("Flash", *_measured(directory, device, n_pings))
    except subprocess.CalledProcessError as exc:
        return Part("Flash", skipped=f"no loop device here: {exc.stderr.decode().strip()}")


def _measured(directory: Path, device: str, n_pings: int) -> tuple[list[Figure], list[str]]:
    def cost_kb(act: Callable[[], None], n: int) -> float:
        os.sync()
        before = _written_bytes(device)
        act()
        os.sync()
        return (_written_bytes(device) - before) / n / KB

    default = _SqliteByDefault(directory / "default")
    floor_in = cost_kb(lambda: default.put(n_pings), n_pings)
    floor_life = floor_in + cost_kb(lambda: default.delete(n_pings), n_pings)
    alone = _Store(directory / "alone", group=1)
    alone_in = cost_kb(lambda: alone.put(n_pings), n_pings)
    alone_life = alone_in + cost_kb(lambda: alone.delete(n_pings), n_pings)
    grouped = _Store(directory / "grouped", group=GROUP)
    n_backlog = n_pings // GROUP * GROUP or GROUP
    grouped_life = cost_kb(lambda: grouped.put(n_backlog), n_backlog)
    grouped_life += cost_kb(lambda: grouped.delete(n_backlog), n_backlog)
    day_kb = cost_kb(lambda: _day(directory / "day"), 1)
    by_default = "SQLite's defaults"
    figures = [
        Figure("one ping alone, stored", alone_in, "kB", floor_in, by_default, at_most=9.2),
        Figure("one ping alone, over its life", alone_life, "kB", floor_life, by_default, at_most=17),
        Figure(
            f"in a backlog, {GROUP} at once, over its life",
            grouped_life,
            "kB",
            floor_life,
            by_default,
            at_most=3,
        ),
        Figure("a day of 4 h viewing, checkpoints included", day_kb / KB, "MB"),
    ]
    years = EMMC_BYTES * ERASE_CYCLES / AMPLIFICATION / (day_kb * KB) / 365
    note = (
        f"Such a day writes {day_kb / KB:.1f} MB. A 4 GB eMMC that bears {ERASE_CYCLES:,} erasures of every "
        f"cell, behind a controller that writes {AMPLIFICATION} bytes for each, bears it {years:,.0f} years."
    )
    return figures, [note]


@contextlib.contextmanager
def _loop_device(bench: Bench) -> Iterator[tuple[Path, str]]:
    """An ext4 of its own, where nobody else writes."""
    image, directory = bench.directory / "flash.img", bench.fresh("flash")
    with image.open("wb") as file:
        file.truncate(512 << 20)
    device = _run("losetup", "--find", "--show", str(image))
    try:
        _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", device)
        _run("mount", "-o", "noatime", device, str(directory))
        try:
            yield directory, Path(device).name
        finally:
            _run("umount", str(directory))
    finally:
        _run("losetup", "--detach", device)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True).stdout.decode().strip()


def _written_bytes(device: str) -> int:
    """Sectors written, by Documentation/block/stat.rst of the kernel."""
    return int(Path(f"/sys/block/{device}/stat").read_text().split()[6]) * SECTOR_BYTES


class _SqliteByDefault:
    """WAL and FULL, everything else as SQLite has it; one transaction for each ping."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._store = sqlite3.connect(directory / "store", isolation_level=None)
        self._store.execute("PRAGMA journal_mode = WAL")
        self._store.execute("PRAGMA synchronous = FULL")
        self._store.execute("CREATE TABLE ping(id INTEGER PRIMARY KEY, target TEXT)")

    def put(self, n_pings: int) -> None:
        for _ in range(n_pings):
            self._store.execute("INSERT INTO ping(target) VALUES (?)", ("x" * PING_BYTES,))

    def delete(self, n_pings: int) -> None:
        for ping_id in range(1, n_pings + 1):
            self._store.execute("DELETE FROM ping WHERE id = ?", (ping_id,))
        self._store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._store.close()


class _Store:
    """The spool, given its pings and their deletes `group` at once, as the writer does."""

    def __init__(self, directory: Path, group: int) -> None:
        self._spool = Spool.open(directory, Limits(), fold=fold)
        self._group = group

    def put(self, n_pings: int) -> None:
        for ids in _lots(n_pings, self._group):
            puts = tuple(entry(each, n_bytes=PING_BYTES) for each in ids)
            self._commit(Batch(0, puts=puts, tried_to=ids[-1]))

    def delete(self, n_pings: int) -> None:
        for ids in _lots(n_pings, self._group):
            self._commit(Batch(0, delivered=tuple(ids)))
        self._spool.close()

    def _commit(self, batch: Batch) -> None:
        commit(self._spool, batch.puts, batch.delivered, batch.tried_to)


def commit(
    spool: Spool,
    puts: tuple[Entry, ...] = (),
    delivered: tuple[int, ...] = (),
    tried_to: int = 0,
    will_of: str = "",
    ended: tuple[str, ...] = (),
) -> None:
    """One transaction; with the checkpoint of the play `will_of`."""
    checkpoints = (checkpoint(will_of, state=""),) if will_of else ()
    spool.commit(
        Batch(
            spool.last_batch + 1,
            puts=puts,
            delivered=delivered,
            tried_to=tried_to,
            checkpoints=checkpoints,
            ended=ended,
        )
    )


def _lots(n: int, size: int) -> Iterator[Sequence[int]]:
    for first in range(1, n + 1, size):
        yield range(first, min(first + size, n + 1))


def _day(directory: Path) -> None:
    """Two films online: each ping is stored with its play's checkpoint, and deleted a second later."""
    spool = Spool.open(directory, Limits(), fold=fold)
    ping_id = 0
    for play in [f"play{n:08d}" for n in range(PLAYS_A_DAY)]:
        kinds = ["e", "s", *["t"] * REPORTS, "gab"]
        checkpoints_between = PLAY_S // CHECKPOINT_S // len(kinds)
        for kind in kinds:
            ping_id += 1
            puts = (entry(ping_id, play=play, kind=kind, n_bytes=PING_BYTES),)
            is_last = kind == "gab"
            commit(spool, puts, (), ping_id, "" if is_last else play, (play,) if is_last else ())
            commit(spool, delivered=(ping_id,))
            for _ in range(checkpoints_between):
                commit(spool, will_of=play)
    spool.close()
