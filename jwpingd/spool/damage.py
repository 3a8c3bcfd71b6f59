"""What is wrong with a database file, told quickly: header, tables, counters; not its rows."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from pathlib import Path
from typing import NamedTuple

from jwpingd.spool import counters, faults, files, pages, schema
from jwpingd.spool.counters import Counters
from jwpingd.spool.limits import PAGE_BYTES, Limits

_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
_VERSION_AT = slice(60, 64)  # https://www.sqlite.org/fileformat2.html#the_database_header
_APPLICATION_AT = slice(68, 72)


class Missing(NamedTuple):
    """There is no store."""


class Newer(NamedTuple):
    """A newer program's store."""

    version: int


class Damaged(NamedTuple):
    """The store cannot be used as it is; why, in words."""

    reason: str


class Sound(NamedTuple):
    """The store is open."""

    connection: sqlite3.Connection
    counters: Counters


_NOT_OURS = {errno.EACCES, errno.EPERM, errno.ELOOP}

Verdict = Missing | Newer | Damaged | Sound


def judge(path: Path, limits: Limits, connection_type: type[sqlite3.Connection]) -> Verdict:
    """Open the store at `path`, or say what is wrong with it.

    Raises OSError and sqlite3.Error only for what is no damage: no right, no space, a bad medium.
    """
    at_once = _judge_header(path, limits)
    if at_once is not None:
        return at_once
    connection = schema.connect(path, connection_type)
    try:
        verdict: Verdict = _judge_content(path, connection, limits)
    except faults.SQLITE_ERRORS as exc:
        connection.close()
        if faults.is_damage(exc):
            return Damaged(str(exc))
        raise
    if not isinstance(verdict, Sound):
        connection.close()
    return verdict


def _judge_header(path: Path, limits: Limits) -> Missing | Newer | Damaged | None:
    """What the first bytes tell without opening the store, which may already write to it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Damaged("it is not a file")
        header = _read_header(path)
    except FileNotFoundError:
        # A link that leads nowhere is in the way of a new store.
        return Damaged("it is a broken link") if path.is_symlink() else _judge_nothing(path)
    except OSError as exc:
        if exc.errno in _NOT_OURS and os.access(path.parent, os.W_OK, effective_ids=True):
            return Damaged(f"it cannot be opened: {exc.strerror}")
        raise
    if not header:
        return _judge_nothing(path)
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        return Damaged("it is not a database")
    version = int.from_bytes(header[_VERSION_AT], "big")
    is_ours = int.from_bytes(header[_APPLICATION_AT], "big") == schema.APPLICATION_ID
    return Newer(version) if is_ours and version > schema.VERSION else _judge_logs(path, limits)


def _read_header(path: Path) -> bytes:
    """Opened for writing too, because SQLite must be able to.  Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, _HEADER_BYTES, 0)
    except OSError as exc:
        if exc.errno == errno.EIO:
            return bytes(_HEADER_BYTES)  # A bad block: what can be read of the others is carried over.
        raise
    finally:
        os.close(descriptor)


def _judge_nothing(path: Path) -> Missing | Damaged:
    """Without a database its log may still hold what was written last."""
    log = files.log_of(path)
    has_log = log.is_file() and log.stat().st_size > 0
    return Damaged("it is gone, and its log is not") if has_log else Missing()


def _judge_logs(path: Path, limits: Limits) -> Damaged | None:
    """Its logs must be files that are ours to write, and whole."""
    for log in files.logs_of(path):
        if not os.path.lexists(log):
            continue
        if not log.is_file() or not os.access(log, os.R_OK | os.W_OK, effective_ids=True):
            return Damaged(f"its {log.name} is no file that can be read and written")
    is_broken = pages.is_log_broken(path, limits.max_bytes)
    return Damaged("its write-ahead log is broken in the middle") if is_broken else None


def _judge_content(path: Path, connection: sqlite3.Connection, limits: Limits) -> Verdict:
    schema.prepare(connection, limits)
    version = schema.pragma(connection, "user_version")
    if schema.pragma(connection, "application_id") == schema.APPLICATION_ID and version > schema.VERSION:
        return Newer(version)
    fault = schema.fault(connection)
    if fault is not None:
        return Damaged(fault)
    used_bytes = schema.pragma(connection, "page_count") * PAGE_BYTES
    if path.stat().st_size > max(used_bytes, limits.max_bytes):
        return Damaged("the file is longer than what is in it")
    found = counters.load(connection)
    return Damaged("its counters fail their check") if found is None else Sound(connection, found)
