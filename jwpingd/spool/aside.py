"""The dead letters: pings that will not be sent unless somebody asks for it.  Bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from jwpingd.spool import rows
from jwpingd.spool.entry import Entry, SetAside
from jwpingd.spool.schema import PING_COLUMNS
from jwpingd.spool.store import Store

FAILED_CHECK = "damaged on flash"


def put(store: Store, letters: Iterable[tuple[int, str]], wall_ms: int | None) -> None:
    """Set waiting entries aside, each (id, reason), the oldest making way.  Raises sqlite3.Error."""
    letters = list(letters)
    if not letters:
        return
    for entry_id, reason in letters:
        store.connection.execute(
            f"INSERT OR IGNORE INTO aside SELECT {PING_COLUMNS}, ?, ? FROM ping WHERE id = ?",
            (reason, wall_ms, entry_id),
        )
    rows.remove(store, [entry_id for entry_id, _ in letters], "set_aside")
    _make_room(store)


def insert(store: Store, letter: SetAside) -> int:
    """Write one as it is, uncounted; 0 if its id is there already.  Raises sqlite3.Error."""
    row = (*rows.encode(store, letter.entry), letter.reason, letter.wall_ms)
    marks = ",".join("?" * len(row))
    return store.connection.execute(f"INSERT OR IGNORE INTO aside VALUES ({marks})", row).rowcount


def put_bad(store: Store) -> None:
    """Set aside the rows that failed their check when they were read.  Raises sqlite3.Error."""
    put(store, [(entry_id, FAILED_CHECK) for entry_id in sorted(store.bad_ids)], None)
    store.bad_ids.clear()


def read(store: Store) -> list[SetAside]:
    """All of them, oldest first.  Raises sqlite3.Error."""
    found = []
    query = f"SELECT {PING_COLUMNS}, reason, wall_ms FROM aside ORDER BY id"
    for *values, reason, wall_ms in store.connection.execute(query):
        row = tuple(values)
        entry = rows.entry_of(row, store.boots.id_of(row[1]))
        found.append(SetAside(entry, str(reason), wall_ms, rows.is_whole(row)))
    return found


def requeue(store: Store, ids: Sequence[int], new_ids: Sequence[int]) -> int:
    """Let those that are whole wait again under new ids; how many do.  Raises sqlite3.Error."""
    letters = {letter.entry.id: letter.entry for letter in read(store) if letter.can_requeue}
    wanted = [(letters[each], new_id) for each, new_id in zip(ids, new_ids, strict=True) if each in letters]
    with store.transaction():
        return sum(_requeue(store, entry, new_id) for entry, new_id in wanted)


def _requeue(store: Store, entry: Entry, new_id: int) -> int:
    if not rows.insert(store, [entry._replace(id=new_id)]):
        return 0
    # The insertion counted a new ping; this one was counted when it first came.
    store.counters.add("accepted", -1)
    store.counters.add("clock_guessed", -int(entry.is_guessed and entry.sa_ms is not None))
    store.counters.add("set_aside", -_delete(store, [entry.id]))
    return 1


def remove(store: Store, ids: Collection[int], destination: str) -> int:
    """Delete dead letters and count them under `destination`; how many.  Raises sqlite3.Error."""
    n_deleted = _delete(store, ids)
    store.counters.move(n_deleted, "set_aside", destination)
    return n_deleted


def _delete(store: Store, ids: Collection[int]) -> int:
    if not ids:
        return 0
    cursor = store.connection.executemany("DELETE FROM aside WHERE id = ?", ((entry_id,) for entry_id in ids))
    return cursor.rowcount


def _make_room(store: Store) -> None:
    """Drop the oldest beyond the limits of rows and bytes."""
    sizes = store.connection.execute("SELECT id, length(target) FROM aside ORDER BY id DESC").fetchall()
    n_bytes, excess = 0, []
    for idx, (entry_id, size) in enumerate(sizes):
        n_bytes += size or 0
        if idx >= store.limits.max_set_aside or n_bytes > store.limits.max_set_aside_bytes:
            excess.append(entry_id)
    remove(store, excess, "dropped.full")
