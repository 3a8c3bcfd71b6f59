"""Waiting pings ⇄ rows, each with a check over all its columns; and the counters that go with them."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from jwpingd.spool.entry import Entry
from jwpingd.spool.schema import PING_COLUMNS
from jwpingd.spool.store import Store

Row = tuple[Any, ...]
_CRC = 6  # place of the check in a row
_MANY = 256  # rows read at a time
_NO_END = (1 << 63) - 1  # no id is larger


def insert(store: Store, entries: Iterable[Entry]) -> int:
    """Put entries in and count them; how many.  One whose id is there already changes nothing.

    Raises sqlite3.Error.
    """
    n_inserted = 0
    for entry in entries:
        cursor = store.connection.execute(
            f"INSERT OR IGNORE INTO ping({PING_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            encode(store, entry),
        )
        if cursor.rowcount:
            n_inserted += 1
            store.counters.add("accepted", 1)
            store.counters.add("waiting", 1)
            store.counters.add("held", int(entry.sa_ms is None))
            store.counters.add("clock_guessed", int(entry.is_guessed and entry.sa_ms is not None))
        store.counters.raise_to("last_id", entry.id)
    return n_inserted


def remove(store: Store, ids: Collection[int], destination: str) -> int:
    """Delete waiting entries and count them under `destination`; how many.  Raises sqlite3.Error."""
    if not ids:
        return 0
    n_held = _n_held(store, list(ids)) if store.counters["held"] else 0
    cursor = store.connection.executemany("DELETE FROM ping WHERE id = ?", ((entry_id,) for entry_id in ids))
    store.counters.move(cursor.rowcount, "waiting", destination)
    store.counters.add("held", -n_held)
    return cursor.rowcount


def rewrite(store: Store, entries: Iterable[Entry]) -> None:
    """Write entries over their own rows.  Raises sqlite3.Error."""
    store.connection.executemany(
        "UPDATE ping SET boot = ?, boot_ms = ?, sa_ms = ?, is_guessed = ?, watched_s = ?, crc = ?, kind = ?,"
        " play = ?, target = ? WHERE id = ?",
        ((*encode(store, entry)[1:], entry.id) for entry in entries),
    )


def scan(store: Store, condition: str = "1", *, after_id: int = 0, n_at_once: int = _MANY) -> Iterator[Entry]:
    """Entries by id, read in portions so that the caller may write between two of them.

    `condition` is SQL.  Rows that fail their check are noted and left out.  Raises sqlite3.Error.
    """
    query = f"SELECT {PING_COLUMNS} FROM ping WHERE id > ? AND {condition} ORDER BY id LIMIT ?"
    while True:
        rows = store.connection.execute(query, (after_id, n_at_once)).fetchall()
        for row in rows:
            entry = decode(store, row)
            if entry is None:
                store.bad_ids.add(row[0])
            else:
                yield entry
        if len(rows) < n_at_once:
            return
        after_id = rows[-1][0]


def oldest(
    store: Store,
    limit: int,
    except_ids: Collection[int],
    after_id: int,
    to_id: int | None,
    is_excepted: Callable[[Entry], bool],
) -> list[Entry]:
    """The first `limit` entries that have a time and are not excepted.  Raises sqlite3.Error."""
    end = _NO_END if to_id is None else to_id
    query = (
        f"SELECT {PING_COLUMNS} FROM ping WHERE id > ? AND id <= ? AND sa_ms IS NOT NULL ORDER BY id LIMIT ?"
    )
    found: list[Entry] = []
    while len(found) < limit:
        # The excepted ones usually stand first, so that one reading is enough.
        n_asked = limit - len(found) + len(except_ids)
        rows = store.connection.execute(query, (after_id, end, n_asked)).fetchall()
        found += (entry for entry in _wanted(store, rows, except_ids) if not is_excepted(entry))
        if len(rows) < n_asked:
            break
        after_id = rows[-1][0]
    return found[:limit]


def first(store: Store, limit: int, after_id: int = 0) -> list[Entry]:
    """The first `limit` entries, with a time or without.  Raises sqlite3.Error."""
    entries = scan(store, after_id=after_id, n_at_once=min(limit, _MANY))
    return list(itertools.islice(entries, limit))


def first_or_none(store: Store) -> Entry | None:
    """The oldest entry.  Raises sqlite3.Error."""
    return next(iter(first(store, 1)), None)


def select(store: Store, ids: Sequence[int]) -> dict[int, Entry]:
    """The entries that are there and pass their check, by id.  Raises sqlite3.Error."""
    query = f"SELECT {PING_COLUMNS} FROM ping WHERE id = ?"
    rows = [store.connection.execute(query, (entry_id,)).fetchone() for entry_id in ids]
    return {entry.id: entry for entry in _wanted(store, [row for row in rows if row], ())}


def encode(store: Store, entry: Entry) -> Row:
    """The row of an entry; a boot that is new is given its number.  Raises sqlite3.Error."""
    return with_crc(
        (
            entry.id,
            store.boots.number_of(store.connection, entry.boot_id),
            entry.boot_ms,
            entry.sa_ms,
            int(entry.is_guessed),
            entry.watched_s,
            entry.kind,
            entry.play,
            entry.target,
        )
    )


def decode(store: Store, row: Row) -> Entry | None:
    """The entry of a row; None if the row fails its check."""
    return entry_of(row, store.boots.id_of(row[1])) if is_whole(row) else None


def entry_of(row: Row, boot_id: str) -> Entry:
    """What a row says, whether it is whole or not."""
    entry_id, _, boot_ms, sa_ms, is_guessed, watched_s, _, kind, play, target = row
    return Entry(entry_id, play, kind, watched_s, target, boot_id, boot_ms, sa_ms, bool(is_guessed))


def with_crc(values: Row) -> Row:
    """A row from its columns without the check."""
    return (*values[:_CRC], checksum(values), *values[_CRC:])


def is_whole(row: Row) -> bool:
    """Whether a row is as it was written."""
    return bool(row[_CRC] == checksum(row[:_CRC] + row[_CRC + 1 :]))


def checksum(values: Row) -> int:
    """A CRC-32 over columns; signed, because SQLite stores that in fewer bytes."""
    text = "|".join(map(str, values))
    crc = zlib.crc32(text.encode("utf-8", "surrogateescape"))
    return crc - (1 << 32) if crc >> 31 else crc


def _wanted(store: Store, rows: Iterable[Row], except_ids: Collection[int]) -> list[Entry]:
    found = []
    for row in rows:
        if row[0] in except_ids:
            continue
        entry = decode(store, row)
        if entry is None:
            store.bad_ids.add(row[0])
        else:
            found.append(entry)
    return found


def _n_held(store: Store, ids: Sequence[int]) -> int:
    """How many of them have no time yet."""
    n_held = 0
    for start in range(0, len(ids), _MANY):
        portion = ids[start : start + _MANY]
        marks = ",".join("?" * len(portion))
        query = f"SELECT count(*) FROM ping WHERE sa_ms IS NULL AND id IN ({marks})"
        (n,) = store.connection.execute(query, portion).fetchone()
        n_held += n
    return n_held
