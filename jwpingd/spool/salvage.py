"""A new store from what can be read of one that is damaged, or was set aside by an older program.

The new one is built beside the sources and renamed into place when it is whole and synced; the
sources keep names that tell what is going on, so that a power cut only means to do it again.

Both must fit the file system.  Where it is full, room may come, so nothing is given up; where it is too
small for both even if nothing else were on it, the newer half is carried over, or the newest quarter.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from jwpingd.spool import account, aside, boots, counters, faults, files, pages, plays, recover, rows, schema
from jwpingd.spool.counters import MARKS, Counters
from jwpingd.spool.entry import SetAside
from jwpingd.spool.files import Files
from jwpingd.spool.limits import PAGE_BYTES, Limits
from jwpingd.spool.store import Store

Row = tuple[Any, ...]
_COLUMNS = {  # boots first: the others name them
    "boot": boots.BOOT_COLUMNS,
    "counter": "name, n",
    "play": schema.PLAY_COLUMNS,
    "aside": f"{schema.PING_COLUMNS}, reason, wall_ms",
    "ping": schema.PING_COLUMNS,
}
_N_PING_COLUMNS = len(schema.PING_COLUMNS.split(","))


class Source(NamedTuple):
    """A database that may be damaged, and the second copy of its account."""

    database: Path
    account: Path


class Salvaged(NamedTuple):
    """What came of it: rows in the new store, and pings that were accepted and are nowhere."""

    n_rows: int
    n_lost: int


def rebuild(
    its_files: Files, sources: list[Source], limits: Limits, connection_type: type[sqlite3.Connection]
) -> Salvaged:
    """Build the database anew from `sources` (the oldest first) and put it into place.

    A source without a database brings its account only.  Raises OSError and sqlite3.Error.
    """
    one_in, salvaged = 1, None
    while salvaged is None:
        try:
            salvaged = _build(its_files.new, sources, limits, connection_type, one_in)
        except BaseException as exc:
            files.remove(its_files.new)
            if not faults.is_full(exc) or one_in > limits.max_bytes or not _is_too_small_for(sources):
                raise
            one_in *= 2
    os.rename(its_files.new, its_files.database)
    account.sync_directory(its_files.directory)
    return salvaged


def _is_too_small_for(sources: list[Source]) -> bool:
    """Whether the file system, with nothing else on it, could not hold them twice and an eighth to spare."""
    disk = os.statvfs(sources[0].database.parent)
    most_bytes = (disk.f_blocks - disk.f_bfree + disk.f_bavail) * disk.f_frsize
    return 2 * sum(files.size_bytes(source.database) for source in sources) > most_bytes * 7 // 8


def _build(
    path: Path,
    sources: list[Source],
    limits: Limits,
    connection_type: type[sqlite3.Connection],
    one_in: int,
) -> Salvaged:
    files.remove(path)
    with closing(schema.connect(path, connection_type)) as connection:
        # Nobody reads it before it is whole: it needs no journal, and one sync at the end.
        for pragma in (f"page_size = {PAGE_BYTES}", "journal_mode = OFF", "synchronous = OFF"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        schema.create(connection)
        store = Store(connection, Counters({}), limits, 0)
        with store.transaction():
            salvaged = _carry_over_all(sources, store, connection_type, one_in)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return salvaged


def settle(totals: Counters, n_waiting: int, n_held: int, n_aside: int) -> int:
    """Make the account hold for the rows that there are; how many pings are nowhere any more.

    More rows than the counters know of mean that the counters are older than the rows.
    """
    totals.put("waiting", n_waiting)
    totals.put("held", n_held)
    totals.put("set_aside", n_aside)
    missing = totals.missing()
    totals.add("dropped.damage" if missing > 0 else "accepted", abs(missing))
    return max(missing, 0)


def _carry_over_all(
    sources: list[Source], store: Store, connection_type: type[sqlite3.Connection], one_in: int
) -> Salvaged:
    found = [_carry_over(source, store, connection_type, one_in) for source in sources]
    totals = Counters({})
    for carried in found:
        for name, n in carried.account.items():
            if name in MARKS:
                totals.raise_to(name, n)
            else:
                totals.add(name, n)
    totals.raise_to("last_id", store.counters["last_id"])
    if len(sources) > 1 or not all(carried.counters for carried in found):
        # Some may have been tried and nobody knows which: none of them is to be folded.
        totals.raise_to("tried_to", totals["last_id"])
    n_aside = sum(carried.n_aside for carried in found)
    n_lost = settle(totals, store.counters["waiting"], store.counters["held"], n_aside)
    # Carrying over counted the rows as if they were new.
    store.counters.replace(totals)
    return Salvaged(n_aside + totals["waiting"], n_lost)


def _carry_over(
    source: Source, store: Store, connection_type: type[sqlite3.Connection], one_in: int
) -> _Carried:
    """Of its pings the newest one in so many."""
    carried = _Carried(store, account.read_copy(source.account) or {})
    if one_in > 1:
        found = _read(source.database, store.limits.max_bytes, connection_type)
        ids = {row[0] for table, row in found if table == "ping" and rows.is_whole(row)}
        n_kept = len(ids) // one_in
        carried.first_id = sorted(ids)[-n_kept] if n_kept else sys.maxsize
    for table, row in _read(source.database, store.limits.max_bytes, connection_type):
        carried.take(table, row)
    return carried


def _read(
    database: Path, max_bytes: int, connection_type: type[sqlite3.Connection]
) -> Iterator[tuple[str, Row]]:
    """(table, row) of all that can be read, boots first.  Some rows may come twice.  Raises OSError."""
    if not database.is_file():
        return
    try:
        if not database.stat().st_size or pages.is_log_broken(database, max_bytes):
            # It would drop the log of an empty database, and not look behind the damaged frame of one.
            raise faults.damage("SQLite does not look at all of it")
        yield from _read_tables(database, connection_type)
    except faults.SQLITE_ERRORS:
        found = [(_table_of(row), tuple(row)) for row in recover.rows(database, max_bytes)]
        for table in _COLUMNS:
            yield from (item for item in found if item[0] == table)


def _read_tables(database: Path, connection_type: type[sqlite3.Connection]) -> Iterator[tuple[str, Row]]:
    with closing(schema.connect(database, connection_type)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        connection.execute("PRAGMA mmap_size = 0").fetchall()
        for table, columns in _COLUMNS.items():
            for row in connection.execute(f"SELECT {columns} FROM {table}"):
                yield table, row


def _table_of(row: list[Any]) -> str:
    """Which table a row was in, by its shape; "" for none of ours."""
    if len(row) == _N_PING_COLUMNS:
        return "ping" if isinstance(row[0], int) else "play"
    return next((table for table, columns in _COLUMNS.items() if columns.count(",") + 1 == len(row)), "")


class _Carried:
    """What one source brought into `store`.  A row that fails its check brings nothing.

    Pings below `first_id` are left behind.
    """

    def __init__(self, store: Store, copy: Mapping[str, int]) -> None:
        self.first_id = 0
        self.n_aside = 0
        self._store = store
        self._copy = copy
        self._boot_ids: dict[int, str] = {}
        self._counters: dict[str, int] = {}
        self._seen: set[int] = set()

    def take(self, table: str, row: Row) -> None:
        """Carry a row over.  Raises sqlite3.Error."""
        {
            "boot": self._take_boot,
            "counter": self._take_counter,
            "play": self._take_play,
            "aside": self._take_aside,
            "ping": self._take_ping,
        }[table](row)

    @property
    def counters(self) -> Counters | None:
        """The source's own, None if they were lost."""
        return counters.of_rows(self._counters.items()) if self._counters else None

    @property
    def account(self) -> Mapping[str, int]:
        """The best that is known of its counters: its own, or the second copy where that is newer."""
        own = self.counters
        if own is None or own["last_batch"] < self._copy.get("last_batch", 0):
            return self._copy
        return own.values()

    def _take_boot(self, row: Row) -> None:
        boot = boots.of_row(row)
        if boot is None:
            return
        number = self._store.boots.number_of(self._store.connection, boot.boot_id)
        if boot.offset_ms is not None:
            self._store.boots.write(self._store.connection, boot._replace(number=number))
        self._boot_ids[boot.number] = boot.boot_id

    def _take_counter(self, row: Row) -> None:
        self._counters[row[0]] = row[1]

    def _take_play(self, row: Row) -> None:
        if plays.is_whole(row):
            plays.write(self._store, [plays.decode(row, self._boot_id(row))])

    def _take_aside(self, row: Row) -> None:
        ping, reason, wall_ms = row[:_N_PING_COLUMNS], row[-2], row[-1]
        if rows.is_whole(ping):
            entry = rows.entry_of(ping, self._boot_id(ping))
            letter = SetAside(entry, str(reason), wall_ms, can_requeue=True)
            self.n_aside += aside.insert(self._store, letter)

    def _take_ping(self, row: Row) -> None:
        if row[0] in self._seen or not rows.is_whole(row) or row[0] < self.first_id:
            return
        self._seen.add(row[0])
        entry = rows.entry_of(row, self._boot_id(row))
        if not rows.insert(self._store, [entry]):
            # Another source has this id: it is a different ping.
            rows.insert(self._store, [entry._replace(id=self._store.counters["last_id"] + 1)])

    def _boot_id(self, row: Row) -> str:
        return self._boot_ids.get(row[1], f"lost-{row[1]}")
