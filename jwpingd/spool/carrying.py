"""What can be read of one store, carried over into another.  A row that fails its check brings nothing."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from jwpingd.spool import account, aside, boots, counters, faults, pages, plays, recover, rows, schema
from jwpingd.spool.counters import Counters
from jwpingd.spool.entry import SetAside
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


def carry_over(
    source: Source, store: Store, connection_type: type[sqlite3.Connection], one_in: int
) -> Carried:
    """What `source` brings into `store`: of its pings the newest half where `one_in` is 2, a quarter for 4.

    Raises OSError and sqlite3.Error.
    """
    carried = Carried(store, account.read_copy(source.account) or {})
    if one_in > 1:
        found = _read(source.database, store.limits.max_bytes, connection_type)
        ids = {row[0] for table, row in found if table == "ping" and rows.is_whole(row)}
        n_kept = len(ids) // one_in
        carried.first_id = sorted(ids)[-n_kept] if n_kept else sys.maxsize
    for table, row in _read(source.database, store.limits.max_bytes, connection_type):
        carried.take(table, row)
    return carried


class Carried:
    """What one source brought into `store`.  Pings below `first_id` are left behind."""

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
