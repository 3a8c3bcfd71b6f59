"""The write-ahead log's file, kept at one size from the first commit on.

A log that grows costs more than what is written to it: with each commit the file system's journal has to
bring the file's new size and blocks to flash, on ext4 as many bytes again (measured).  Where blocks are
there already, `fdatasync` writes the commit's own and nothing else.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PORTION = bytes(32 << 10)
_ROOM_FACTOR = 4  # As for the reserve: not at the last byte of a disk.


def lay_out(log: Path, n_bytes: int) -> None:
    """Lengthen the log to `n_bytes` with zeros, in which SQLite sees no frames, if the disk has room for it.

    They need no sync: that of the frames which take their place brings the file's size to flash as well.
    Never raises: it is not needed to store.
    """
    with suppress(OSError):
        n_there = log.lstat().st_size
        n_missing = n_bytes - n_there
        if n_missing > 0 and _has_room(log.parent, n_missing):
            _append_zeros(log, n_missing, is_cut=n_there == 0)


def _has_room(directory: Path, n_bytes: int) -> bool:
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize >= _ROOM_FACTOR * n_bytes


def _append_zeros(log: Path, n_bytes: int, *, is_cut: bool) -> None:
    # It is SQLite that makes the file: where there is none, the log is not in use.
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if is_cut:
            # SQLite did not sync that.  Else a power cut might leave zeros amid the frames of before, which
            # would then look like a log that is damaged, and be laid over the newer database.
            os.fsync(descriptor)
        while n_bytes > 0:
            n_bytes -= os.write(descriptor, _PORTION[:n_bytes])
    finally:
        os.close(descriptor)
