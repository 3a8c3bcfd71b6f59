"""A small file that holds disk space for bad times: without any, not even deletes would work."""

from __future__ import annotations

import os
from pathlib import Path

from jwpingd.spool.faults import is_full

_ROOM_FACTOR = 4  # The reserve comes back when the disk has so many times its size: not at the last byte.


class Reserve:
    """The file at `path`, of `n_bytes` that are really allocated."""

    def __init__(self, path: Path, n_bytes: int) -> None:
        self._path = path
        self._n_bytes = n_bytes
        self.is_given_up = True

    def hold(self) -> None:
        """Have the reserve, if the disk has room for it.  Never raises: it is not needed to store."""
        try:
            self.is_given_up = not self._is_there() and not self._make()
        except OSError as exc:
            self.give_up()
            # Where files cannot be preallocated for another reason, the store does without.
            self.is_given_up = is_full(exc)

    def give_up(self) -> None:
        """Free its space.  Never raises: on a disk that bad there is nothing more to do."""
        self.is_given_up = True
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return

    def _is_there(self) -> bool:
        try:
            return self._path.stat().st_size == self._n_bytes
        except FileNotFoundError:
            return False

    def _make(self) -> bool:
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < _ROOM_FACTOR * self._n_bytes:
            return False
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._n_bytes)
        finally:
            os.close(descriptor)
        return True
