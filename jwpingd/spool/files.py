"""The files of a spool, and moves among them that can be cut short at any point.

A database goes with its logs: the write-ahead log, and the journal of the moment in which WAL is
first set.  The logs move first: what a cut leaves is then a log without its database under the new
name, which tells that the move must be finished.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from jwpingd.spool.account import sync_directory
from jwpingd.spool.schema import VERSION

_LOGS = ("-wal", "-journal")
_NEWER = r"spool\.v(\d+)\.db"


class Files:
    """Names in the spool's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = directory / "spool.db"
        self.account = directory / "account.json"
        self.reserve = directory / "reserve"
        self.new = directory / "spool.new.db"  # being built to become the database
        self.broken = directory / "spool.salvage.db"  # being read to build the new one
        self.returned = directory / "spool.returned.db"  # likewise: what an older program had set aside
        self.damaged = directory / "spool.damaged.db"  # kept for those who want to know what happened

    def of_version(self, version: int) -> Path:
        """Where a store of another version waits for the program that can read it."""
        return self.directory / f"spool.v{version}.db"

    def account_of_version(self, version: int) -> Path:
        """The second copy of that store's account."""
        return self.directory / f"account.v{version}.json"

    @property
    def own_version(self) -> Path:
        """Our own store, if an older program set it aside."""
        return self.of_version(VERSION)

    def clear_places(self) -> None:
        """Remove what is no file in the place of a small one, which is then made anew.  Raises OSError."""
        for path in (self.account, self.account.with_name(self.account.name + ".new"), self.reserve):
            if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
                _remove_one(path)

    def copies_bytes(self) -> int:
        """What the set-aside copies take."""
        copies = [self.damaged, *self._of_other_versions()]
        return sum(size_bytes(path) for path in copies)

    def forget_copies(self) -> None:
        """Delete the set-aside copies.  Raises OSError."""
        for path in (self.damaged, *self._of_other_versions()):
            remove(path)
        for path in self.directory.glob("account.v*.json"):
            path.unlink()
        sync_directory(self.directory)

    def forget_damaged(self) -> None:
        """Delete the damaged copy.  Raises OSError."""
        remove(self.damaged)
        sync_directory(self.directory)

    def _of_other_versions(self) -> list[Path]:
        return [path for path in self.directory.iterdir() if re.fullmatch(_NEWER, path.name)]


def log_of(database: Path) -> Path:
    """Its write-ahead log."""
    return logs_of(database)[0]


def logs_of(database: Path) -> list[Path]:
    """Every log that may stand beside it."""
    return [database.with_name(database.name + ending) for ending in _LOGS]


def move(database: Path, destination: Path) -> None:
    """Rename a database with its logs, over whatever was there.  Raises OSError."""
    database.lstat()  # Nothing may be removed for the sake of a file that is not there.
    remove(destination)
    for log, its_destination in zip(logs_of(database), logs_of(destination), strict=True):
        if os.path.lexists(log):
            os.rename(log, its_destination)
    os.rename(database, destination)
    sync_directory(database.parent)


def finish_move(database: Path, destination: Path) -> None:
    """If a move between the two was cut short, finish it.  Raises OSError."""
    moved = [log for log in logs_of(destination) if os.path.lexists(log)]
    if not moved or os.path.lexists(destination):
        return
    if os.path.lexists(database):
        os.rename(database, destination)
        return
    for log in moved:
        _remove_one(log)


def remove(database: Path) -> None:
    """Delete a database with its logs, or whatever is there in its place.  Raises OSError."""
    for path in (*logs_of(database), database):
        _remove_one(path)


def size_bytes(database: Path) -> int:
    """A database with its logs; a directory in its place, with all that is in it."""
    return sum(_size_of_one(path) for path in (database, *logs_of(database)))


def _remove_one(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        import shutil  # With all its ways to pack; hardly any box ever needs it.

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _size_of_one(path: Path) -> int:
    if not os.path.lexists(path):
        return 0
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    return sum(each.lstat().st_size for each in (path, *inside))
