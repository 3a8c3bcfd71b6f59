"""How files of the box are read in a lookup: bounded each, and bounded in all."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

MAX_TEXT_BYTES = 1 << 20
"""For a file that is read whole; the metainfo of an app with a long history has some 100 KiB."""

MAX_TOTAL_BYTES = 64 << 20
"""For one lookup.  The lists of a Debian desktop with 3,000 packages have some 30 MiB."""

_CHUNK_BYTES = 256 << 10
MAX_LINE_BYTES = 64 << 10  # What is longer comes in pieces, which match nothing.


class Files:
    """The files below `root`, for one lookup: beyond `max_total_bytes` every file seems to end."""

    def __init__(self, root: Path, max_total_bytes: int = MAX_TOTAL_BYTES) -> None:
        self.root = root
        self._left_bytes = max_total_bytes

    def text(self, path: str) -> str | None:
        """The file as text; None if it is missing, unreadable, too large or no regular file."""
        file = self._open(path)
        if file is None:
            return None
        max_bytes = max(0, min(MAX_TEXT_BYTES, self._left_bytes))
        try:
            with file:
                raw = file.read(max_bytes + 1)
        except OSError:
            return None
        if len(raw) > max_bytes:
            return None
        self._left_bytes -= len(raw)
        return raw.decode("utf-8", "replace")

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of the file, without their ends; none if it cannot be read."""
        file = self._open(path)
        if file is None:
            return
        with file:
            while self._left_bytes > 0:
                try:
                    line = file.readline(MAX_LINE_BYTES)
                except OSError:
                    return
                if not line:
                    return
                self._left_bytes -= len(line)
                yield line.rstrip(b"\r\n")

    def holds(self, path: str, needles: Collection[bytes]) -> bool:
        """Whether one of `needles` is in the file, before and after which a line's end is imagined.

        Much faster than line by line: a slow box has some 100,000 lines to look through.
        """
        file = self._open(path)
        if file is None:
            return False
        n_kept = max(map(len, needles)) - 1
        with file:
            seen = b"\n"
            while self._left_bytes > 0:
                try:
                    chunk = file.read(_CHUNK_BYTES)
                except OSError:
                    return False
                self._left_bytes -= len(chunk)
                seen += chunk or b"\n"
                if any(needle in seen for needle in needles):
                    return True
                if not chunk:
                    return False
                seen = seen[-n_kept:]
        return False

    def names(self, directory: str) -> list[str]:
        """What the directory holds, sorted; nothing if it cannot be read."""
        try:
            return sorted(os.listdir(self.root / directory))
        except (OSError, ValueError):
            return []

    def is_there(self, path: str) -> bool:
        """Whether there is anything at `path`, as far as we may know."""
        return os.path.lexists(self.root / path)

    def stamp(self, path: str) -> tuple[int, int, int] | None:
        """What differs when the file was changed or replaced; None where there is none."""
        try:
            status = os.stat(self.root / path)
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def is_link(self, path: str) -> bool:
        """Whether a symbolic link is at `path`."""
        return os.path.islink(self.root / path)

    def _open(self, path: str) -> BinaryIO | None:
        """The file; None if there is none to read.  A pipe or a device would block us or never end."""
        try:
            descriptor = os.open(self.root / path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):  # ValueError: a NUL in the path
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return open(descriptor, "rb", buffering=1 << 16)
