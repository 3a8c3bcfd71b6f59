"""The open database: one connection, and in memory what each transaction needs of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from jwpingd.spool import boots, schema
from jwpingd.spool.boots import Boots
from jwpingd.spool.counters import Counters
from jwpingd.spool.limits import Limits


class Store:
    """One opened database.  After any error in a transaction it is of no more use: open it again.

    `bad_ids` are rows that failed their check; the next commit moves them out of the way, because
    reading must not write.
    """

    def __init__(
        self, connection: sqlite3.Connection, counters: Counters, limits: Limits, copies_bytes: int
    ) -> None:
        self.connection = connection
        self.counters = counters
        self.boots: Boots = boots.load(connection)
        self.limits = limits
        self.n_most_pages = limits.max_pages(copies_bytes)
        self.storage_limit_bytes = limits.storage_bytes(copies_bytes)
        self.bad_ids: set[int] = set()
        self.is_closed = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it, or none; synced when the block ends.  Raises sqlite3.Error."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.counters.save(self.connection)
            self.connection.execute("COMMIT")
        except BaseException:
            self.close()
            raise

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the database and cut it to nothing.  Raises sqlite3.Error."""
        schema.checkpoint(self.connection)

    def begin_log_anew(self) -> None:
        """Bring the log into the database; what comes next is written over it.  Raises sqlite3.Error."""
        self.connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def n_free_pages(self) -> int:
        """Pages that can still be filled."""
        n_pages = schema.pragma(self.connection, "page_count")
        return self.n_most_pages - n_pages + schema.pragma(self.connection, "freelist_count")

    def close(self) -> None:
        """Let go of the files, whatever state the connection is in; never raises."""
        self.is_closed = True
        with suppress(sqlite3.Error):
            self.connection.close()
