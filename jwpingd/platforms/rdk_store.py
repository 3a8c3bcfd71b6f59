"""RDK's store of user settings: an SQLite file that is another program's.

It is opened as immutable, so that neither locks nor side files (-wal, -shm) are made, at the price of a
value from before what its owner has not written to the file itself yet.  The work is bounded, for the
file is only as good as who wrote it.
"""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import quote

from jwpingd.platforms.root import MAX_BYTES, Absent, Root
from jwpingd.platforms.table import Place, read_at

MAX_STORE_BYTES = 4 * 1024 * 1024
"""RDK's own limit is 1 MB; a look-up reads a few pages of it."""

MAX_STEPS = 100_000
"""Of SQLite's virtual machine, some milliseconds; a look-up takes few, even without an index."""

_SETTING = """
    SELECT value FROM item
    WHERE key = ? AND ns IN (SELECT id FROM namespace WHERE name = 'UserSettings') LIMIT 1
"""


def user_setting(path: str, key: str) -> Place:
    """What the store says of a setting that the viewer can change."""

    def read(root: Root) -> str:
        try:
            file = root.below(path)
            status = file.stat()
        except OSError:
            raise Absent("no such file, or not readable for this user") from None
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_STORE_BYTES:
            raise Absent("not a file, or too large")
        return _setting(file, key)

    return read_at(f"{path}: UserSettings {key}", read)


def _setting(file: Path, key: str) -> str:
    # Imported here because few boxes have such a store.
    import sqlite3

    try:
        connection = sqlite3.connect(
            f"file:{quote(str(file))}?mode=ro&immutable=1", uri=True, isolation_level=None
        )
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES)
            connection.set_progress_handler(lambda: 1, MAX_STEPS)
            row = connection.execute(_SETTING, (key,)).fetchone()
        finally:
            connection.close()
    except sqlite3.Error as exc:
        raise Absent(f"not readable as a store: {exc}") from None
    if row is None or not isinstance(row[0], str):
        raise Absent("not in the store")
    return row[0].strip().strip('"')
