"""What is done now and then, outside the commits: expiry, privacy, and the thorough check."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from jwpingd.spool import aside, faults, plays, rows
from jwpingd.spool.changes import portions
from jwpingd.spool.opening import count_rows
from jwpingd.spool.salvage import settle
from jwpingd.spool.store import Store

_DAY_MS = 86_400_000


def expire(store: Store, wall_ms: int, except_ids: Collection[int]) -> int:
    """Drop what is older than the limit of age; how many.  Raises sqlite3.Error.

    What was dated by a clock that nobody vouched for may be young, so it does not expire.
    """
    before_ms = wall_ms - int(store.limits.max_age_days * _DAY_MS)
    too_old = _ids(store, "SELECT id FROM ping WHERE sa_ms < ? AND NOT is_guessed ORDER BY id", before_ms)
    letters = _ids(store, "SELECT id FROM aside WHERE sa_ms < ? AND NOT is_guessed ORDER BY id", before_ms)
    return _drop(store, [each for each in too_old if each not in except_ids], letters, "age")


def purge(store: Store, ids: Collection[int], its_plays: Collection[str], reason: str) -> int:
    """Drop pings, dead letters and checkpoints so that nothing remains in the file; how many pings.

    Raises sqlite3.Error.
    """
    doomed = [
        [each for each, play in _outlines(store, table) if each in ids or play in its_plays]
        for table in ("ping", "aside")
    ]
    n_dropped = _drop(store, doomed[0], doomed[1], reason)
    with store.transaction():
        plays.remove(store, its_plays)
    store.checkpoint()
    return n_dropped


def check_thoroughly(store: Store) -> list[str]:
    """Look at every page and every row, and put right what can be; what was found, in sentences.

    Takes up to a second for a full store.  Raises sqlite3.Error: as damage, if pages are broken.
    """
    (first,) = store.connection.execute("PRAGMA quick_check(1)").fetchone()
    if first != "ok":
        raise faults.damage(str(first))
    for _ in rows.scan(store):
        pass  # Reading notes what fails its check.
    n_bad = len(store.bad_ids)
    _, bad_plays = plays.read(store)
    with store.transaction():
        aside.put_bad(store)
        plays.remove(store, bad_plays)
        store.boots.forget_unused(store.connection)
        n_off = _recount(store)
    return [
        f"{n} {what}"
        for n, what in (
            (n_bad, "pings are damaged: set aside"),
            (len(bad_plays), "checkpoints of plays are damaged: forgotten"),
            (n_off, "pings more or less than counted: the account is corrected"),
        )
        if n
    ]


def _recount(store: Store) -> int:
    """By how many the counters and the rows differed."""
    counted = [store.counters[name] for name in ("waiting", "held", "set_aside")]
    found = count_rows(store)
    settle(store.counters, *found)
    return sum(abs(n - m) for n, m in zip(counted, found, strict=True))


def _drop(store: Store, ids: list[int], letters: list[int], reason: str) -> int:
    n_dropped = 0
    for portion in portions(ids, store.limits.max_deletes):
        with store.transaction():
            n_dropped += rows.remove(store, portion, f"dropped.{reason}")
    for portion in portions(letters, store.limits.max_deletes):
        with store.transaction():
            n_dropped += aside.remove(store, portion, f"dropped.{reason}")
    return n_dropped


def _outlines(store: Store, table: str) -> Iterable[tuple[int, str]]:
    return store.connection.execute(f"SELECT id, play FROM {table}")


def _ids(store: Store, query: str, *values: int) -> list[int]:
    found: Iterable[tuple[int]] = store.connection.execute(query, values)
    return [each for (each,) in found]
