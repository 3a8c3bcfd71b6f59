"""Bytes that reach the flash: all that a loop device under ext4 is given, its journal included."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from jwpingd.ping import fold
from jwpingd.spool import Batch, Limits, Spool
from tests.benchmarks import day
from tests.benchmarks.bench import Bench
from tests.benchmarks.device import KB, Device, loop_device
from tests.benchmarks.figures import Figure, Part
from tests.benchmarks.stores import PING_BYTES
from tests.spool_values import entry

GROUP = 64  # as many as the writer deletes at once
EMMC_BYTES, ERASE_CYCLES, AMPLIFICATION = 4 * 10**9, 3000, 4
"""A 4 GB eMMC of MLC cells, and a controller that writes four times what it is given for small writes."""

_BY_DEFAULT = "SQLite's defaults"
_BARE = "a bare table of one column, pages of 512 bytes"
_MOST_STORED, _MOST_LIFE, _MOST_BACKLOG = 0.41, 0.52, 0.092
"""9.2, 17 and 3 kB where SQLite's defaults take 22.5 and 32.5: the kB hang on the machine, ratios less."""


def measure(bench: Bench) -> Part:
    tools = ("losetup", "mkfs.ext4", "mount", "umount")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        return Part("Flash", skipped=f"it takes root and {', '.join(missing or tools)}")
    n_pings, n_rounds = (100, 1) if bench.is_quick else (1000, 3)
    try:
        with loop_device(bench) as device:
            rounds = [_Round.of(device, n_pings) for _ in range(n_rounds)]
            day_kb, checkpoint_kb = day.measure(device)
    except subprocess.CalledProcessError as exc:
        return Part("Flash", skipped=f"no loop device here: {exc.stderr.decode().strip()}")
    figures = [
        *_figures(_Round(*map(statistics.median, zip(*rounds, strict=True)))),
        Figure(f"a play's checkpoint, every {day.CHECKPOINT_S} s", checkpoint_kb, "kB"),
        Figure("a day of 4 h viewing, checkpoints included", day_kb / KB, "MB"),
    ]
    years = EMMC_BYTES * ERASE_CYCLES / AMPLIFICATION / (day_kb * KB) / 365
    note = (
        f"Such a day writes {day_kb / KB:.1f} MB. A 4 GB eMMC that bears {ERASE_CYCLES:,} erasures of every "
        f"cell, behind a controller that writes {AMPLIFICATION} bytes for each, bears it {years:,.0f} years."
    )
    return Part("Flash", figures, [note])


class _Round(NamedTuple):
    """kB of one ping in each kind of store, all of them in turn on one device."""

    default_stored: float
    default_life: float
    bare_stored: float
    bare_life: float
    bare_backlog: float
    stored: float
    life: float
    backlog: float

    @classmethod
    def of(cls, device: Device, n_pings: int) -> _Round:
        backlog = range(1, (n_pings // GROUP or 1) * GROUP + 1)
        pings = range(1, n_pings + 1)
        return cls(
            *_stored_and_life(device, _Bare(_fresh(device), page_bytes=4096), pings, 1),
            *_stored_and_life(device, _Bare(_fresh(device), page_bytes=512), pings, 1),
            _stored_and_life(device, _Bare(_fresh(device), page_bytes=512), backlog, GROUP)[1],
            *_stored_and_life(device, _Ours(_fresh(device)), pings, 1),
            _stored_and_life(device, _Ours(_fresh(device)), backlog, GROUP)[1],
        )


def _figures(kb: _Round) -> list[Figure]:
    backlog = f"in a backlog, {GROUP} at once, over its life"
    stored, life = "one ping alone, stored", "one ping alone, over its life"
    rows = (
        (stored, kb.stored, kb.default_stored, _MOST_STORED),
        (life, kb.life, kb.default_life, _MOST_LIFE),
        (backlog, kb.backlog, kb.default_life, _MOST_BACKLOG),
        (f"{stored}: {_BARE}", kb.bare_stored, kb.default_stored, None),
        (f"{life}: the same table", kb.bare_life, kb.default_life, None),
        (f"{backlog}: the same table", kb.bare_backlog, kb.default_life, None),
    )
    return [Figure(what, value, "kB", floor, _BY_DEFAULT, most=most) for what, value, floor, most in rows]


class _Queue(Protocol):
    def put(self, ids: Sequence[int]) -> None: ...

    def delete(self, ids: Sequence[int]) -> None: ...

    def close(self) -> None: ...


def _stored_and_life(
    device: Device, queue: _Queue, ids: Sequence[int], n_at_once: int
) -> tuple[float, float]:
    """kB of one ping: until all are stored, and until all are deleted and the store is closed."""

    def put() -> None:
        for lot in _lots(ids, n_at_once):
            queue.put(lot)

    def delete() -> None:
        for lot in _lots(ids, n_at_once):
            queue.delete(lot)
        queue.close()

    stored = device.kb_of(put) / len(ids)
    return stored, stored + device.kb_of(delete) / len(ids)


def _fresh(device: Device) -> Path:
    return device.directory / f"store{sum(1 for _ in device.directory.iterdir())}"


def _lots(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


class _Bare:
    """A table and nothing else: WAL and FULL, everything but the pages as SQLite has it."""

    def __init__(self, directory: Path, page_bytes: int) -> None:
        directory.mkdir()
        self._store = sqlite3.connect(directory / "store", isolation_level=None)
        for pragma in (f"page_size = {page_bytes}", "journal_mode = WAL", "synchronous = FULL"):
            self._store.execute(f"PRAGMA {pragma}").fetchall()
        self._store.execute("CREATE TABLE ping(id INTEGER PRIMARY KEY, target TEXT)")

    def put(self, ids: Sequence[int]) -> None:
        rows = [(each, "x" * PING_BYTES) for each in ids]
        self._do("INSERT INTO ping VALUES (?, ?)", rows)

    def delete(self, ids: Sequence[int]) -> None:
        self._do("DELETE FROM ping WHERE id = ?", [(each,) for each in ids])

    def _do(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._store.execute("BEGIN IMMEDIATE")
        self._store.executemany(statement, rows)
        self._store.execute("COMMIT")

    def close(self) -> None:
        self._store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._store.close()


class _Ours:
    """The spool, given pings and their deletes as the writer does."""

    def __init__(self, directory: Path) -> None:
        self._spool = Spool.open(directory, Limits(), fold=fold)
        self.close = self._spool.close

    def put(self, ids: Sequence[int]) -> None:
        puts = tuple(entry(each, n_bytes=PING_BYTES) for each in ids)
        self._spool.commit(Batch(self._spool.last_batch + 1, puts=puts, tried_to=ids[-1]))

    def delete(self, ids: Sequence[int]) -> None:
        self._spool.commit(Batch(self._spool.last_batch + 1, delivered=tuple(ids)))
