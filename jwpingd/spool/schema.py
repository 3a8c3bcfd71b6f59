"""The tables, and how a connection to them is set up.

Columns stand small first, so that everything but a long target is on the leaf page of its row.
No secondary index: it would be one more page to write for every ping.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from jwpingd.spool.limits import PAGE_BYTES, Limits

VERSION = 1  # PRAGMA user_version; one more whenever an older program could misread the tables
APPLICATION_ID = 0x6A777069  # "jwpi" in the file's header
_CACHE_KIB = 256  # holds the pages of a usual batch; the pings themselves are read once

TABLES = {
    "ping": (
        "CREATE TABLE ping(id INTEGER PRIMARY KEY, boot INTEGER, boot_ms INTEGER, sa_ms INTEGER,"
        " is_guessed INTEGER, watched_s INTEGER, crc INTEGER, kind TEXT, play TEXT, target TEXT)"
    ),
    "aside": (
        "CREATE TABLE aside(id INTEGER PRIMARY KEY, boot INTEGER, boot_ms INTEGER, sa_ms INTEGER,"
        " is_guessed INTEGER, watched_s INTEGER, crc INTEGER, kind TEXT, play TEXT, target TEXT,"
        " reason TEXT, wall_ms INTEGER)"
    ),
    # One b-tree and no more: a table with rowids would need a second one for the key.
    "play": (
        "CREATE TABLE play(play TEXT PRIMARY KEY, boot INTEGER, boot_ms INTEGER, sa_ms INTEGER,"
        " is_guessed INTEGER, watched_s INTEGER, crc INTEGER, kind TEXT, target TEXT, state TEXT)"
        " WITHOUT ROWID"
    ),
    # All counters, the last batch and the mark of tries are on this table's only page.
    "counter": "CREATE TABLE counter(name TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID",
    "boot": "CREATE TABLE boot(number INTEGER PRIMARY KEY, boot_id TEXT, offset_ms INTEGER, crc INTEGER)",
}

PING_COLUMNS = "id, boot, boot_ms, sa_ms, is_guessed, watched_s, crc, kind, play, target"
PLAY_COLUMNS = "play, boot, boot_ms, sa_ms, is_guessed, watched_s, crc, kind, target, state"


def connect(path: Path, connection_type: type[sqlite3.Connection]) -> sqlite3.Connection:
    """A connection that begins no transaction by itself.  Raises sqlite3.Error."""
    connection = sqlite3.connect(
        path, timeout=0.5, isolation_level=None, check_same_thread=False, factory=connection_type
    )
    # A flipped bit may leave text that is no UTF-8; its check must fail then, not the reading.
    connection.text_factory = _text
    return connection


def prepare(connection: sqlite3.Connection, limits: Limits) -> None:
    """Set up what is not kept in the file.  Raises sqlite3.Error."""
    for pragma in (
        f"page_size = {PAGE_BYTES}",
        "locking_mode = EXCLUSIVE",  # Before WAL, so that no shared-memory file is needed.
        "journal_mode = WAL",
        "synchronous = FULL",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "mmap_size = 0",
        f"cache_size = -{_CACHE_KIB}",
        f"wal_autocheckpoint = {limits.checkpoint_frames}",
        f"journal_size_limit = {limits.log_bytes}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def create(connection: sqlite3.Connection) -> None:
    """Make the tables, all or none.  Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES.values():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def fault(connection: sqlite3.Connection) -> str | None:
    """What is wrong with header and tables, None if nothing.  Raises sqlite3.Error."""
    if pragma(connection, "application_id") != APPLICATION_ID:
        return "it is a database, but not ours"
    if pragma(connection, "user_version") != VERSION or _tables(connection) != TABLES:
        return "its tables are not those of this version"
    return None


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """A number that SQLite knows of the file.  Raises sqlite3.Error."""
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring all of the write-ahead log into the database and cut it to nothing.  Raises sqlite3.Error."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _tables(connection: sqlite3.Connection) -> dict[str, str]:
    return {name: sql for name, sql in connection.execute("SELECT name, sql FROM sqlite_master")}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
