"""What an error of SQLite or the system means here: damage, a full disk, or trouble with the place."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from jwpingd.errors import StoreError

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a call of SQLite may raise; the second where its message quotes text that is damaged."""

_DAMAGE = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    # Our tables have no constraint that an undamaged store could violate.
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
}
_DAMAGE_EXTENDED = {
    # A block that cannot be read is lost; what can be read is worth carrying over.
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}
_HINTS = {
    sqlite3.SQLITE_READONLY: "the file system is read-only or the file is not ours to write",
    sqlite3.SQLITE_CANTOPEN: "the state directory must exist and belong to the daemon's user",
    sqlite3.SQLITE_PERM: "the state directory must exist and belong to the daemon's user",
    sqlite3.SQLITE_BUSY: "another process has the store open; stop it",
    sqlite3.SQLITE_LOCKED: "another process has the store open; stop it",
    sqlite3.SQLITE_FULL: "the file system is full; free some space",
    sqlite3.SQLITE_IOERR: "the medium reports errors; look at the kernel's log",
}
_SYSTEM_HINTS = {
    errno.EROFS: _HINTS[sqlite3.SQLITE_READONLY],
    errno.EACCES: _HINTS[sqlite3.SQLITE_PERM],
    errno.EPERM: _HINTS[sqlite3.SQLITE_PERM],
    errno.ENOENT: _HINTS[sqlite3.SQLITE_PERM],
    errno.ENOTDIR: _HINTS[sqlite3.SQLITE_PERM],
    errno.ENOSPC: _HINTS[sqlite3.SQLITE_FULL],
    errno.EDQUOT: _HINTS[sqlite3.SQLITE_FULL],
}


def store_error(operation: str, path: Path, error: BaseException) -> StoreError:
    """The error for the caller: what was tried, where, what went wrong, and what would help."""
    if isinstance(error, OSError):
        what, hint = error.strerror or str(error), _SYSTEM_HINTS.get(error.errno or 0)
    else:
        what, hint = str(error), _HINTS.get(_code(error) & 0xFF)
    return StoreError(f"cannot {operation} {path}: {what}" + (f" ({hint})" if hint else ""))


def is_damage(error: BaseException) -> bool:
    """Whether the store itself is broken, so that trying again as it is cannot help."""
    code = _code(error)
    return isinstance(error, UnicodeDecodeError) or code & 0xFF in _DAMAGE or code in _DAMAGE_EXTENDED


def damage(what: str) -> sqlite3.DatabaseError:
    """What SQLite itself would raise for a broken store."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def is_full(error: BaseException) -> bool:
    """Whether there was no space left."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return _code(error) & 0xFF == sqlite3.SQLITE_FULL


def _code(error: BaseException) -> int:
    """SQLite's extended result code; 0 for errors that did not come from it."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code if isinstance(code, int) else 0
