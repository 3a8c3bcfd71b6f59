"""A new store from what can be read of one that is damaged, or was set aside by an older program.

The new one is built beside the sources and renamed into place when it is whole and synced; the
sources keep names that tell what is going on, so that a power cut only means to do it again.

Both must fit the file system.  Where it is full, room may come, so nothing is given up; where it is too
small for both even if nothing else were on it, the newer half is carried over, or the newest quarter.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from jwpingd.spool import account, faults, files, schema
from jwpingd.spool.carrying import Source, carry_over
from jwpingd.spool.counters import MARKS, Counters
from jwpingd.spool.files import Files
from jwpingd.spool.limits import PAGE_BYTES, Limits
from jwpingd.spool.store import Store


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
    found = [carry_over(source, store, connection_type, one_in) for source in sources]
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
