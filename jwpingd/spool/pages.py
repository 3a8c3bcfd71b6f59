"""The pages of a database and its write-ahead log, read without SQLite, whatever state they are in.

Format: https://www.sqlite.org/fileformat2.html (the write-ahead log).
"""

from __future__ import annotations

import os
import stat
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from jwpingd.spool.files import log_of
from jwpingd.spool.limits import FRAME_BYTES, PAGE_BYTES

_LOG_HEADER_BYTES = 32
_LOG_MAGIC = b"\x37\x7f\x06"  # and a byte that tells the order of bytes in its checksums


def is_log_broken(database: Path, max_bytes: int) -> bool:
    """Whether acknowledged transactions stand in the log behind a damaged frame.

    SQLite takes the first frame that fails its check for the end of the log, and says nothing.  More
    than one transaction behind it cannot be what a power cut left: each was synced before the next.  Nor
    can any behind a damaged header, which is synced before them all.
    """
    with closing(_File(log_of(database), max_bytes)) as log:
        begin = _n_bytes_sound(log)
        n_behind = sum(is_commit for start, is_commit in _frames(log) if start >= begin)
        return n_behind > (1 if begin else 0)


class Pages:
    """Number → page: the database's own, and over them the committed ones of the write-ahead log."""

    def __init__(self, database: Path, max_bytes: int) -> None:
        self._database = _File(database, max_bytes)
        self._log = _File(log_of(database), max_bytes)
        self._n_pages = -(-self._database.n_bytes // PAGE_BYTES)
        self._place_in_log: dict[int, int] = {}
        uncommitted: dict[int, int] = {}
        for start, is_commit in _frames(self._log):
            uncommitted[integer(self._log.read(start, 4))] = start + FRAME_BYTES - PAGE_BYTES
            if is_commit:
                self._place_in_log |= uncommitted
                uncommitted = {}

    def numbers(self) -> list[int]:
        """Of all pages that there are."""
        return [*range(1, self._n_pages + 1), *(each for each in self._place_in_log if each > self._n_pages)]

    def __getitem__(self, number: int) -> bytes:
        place = self._place_in_log.get(number)
        if place is not None:
            return self._log.read(place, PAGE_BYTES)
        if not 0 < number <= self._n_pages:
            raise KeyError(number)
        return self._database.read((number - 1) * PAGE_BYTES, PAGE_BYTES)

    def close(self) -> None:
        """Let go of both files."""
        self._database.close()
        self._log.close()


class _File:
    """Bytes of a file that may be missing, or have blocks that cannot be read: those are zeros."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.n_bytes = 0
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            found = os.fstat(self._descriptor)
        except OSError:
            return  # What is not there, or not for us to read, is lost.
        if stat.S_ISREG(found.st_mode):
            self.n_bytes = min(found.st_size, max_bytes)

    def read(self, start: int, n_bytes: int) -> bytes:
        """So many bytes from `start` on; beyond the end there are zeros."""
        if self._descriptor is None:
            return bytes(n_bytes)
        try:
            return os.pread(self._descriptor, n_bytes, start).ljust(n_bytes, b"\0")
        except OSError:
            return bytes(n_bytes)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def _frames(log: _File) -> Iterator[tuple[int, bool]]:
    """(start, whether a transaction ends with it) of the frames of the log's latest round."""
    header = log.read(0, _LOG_HEADER_BYTES)
    salt = header[16:24] if _is_whole(header) else _newest_salt(log)
    for start in _frame_starts(log):
        frame = log.read(start, 16)
        if frame[8:] == salt:  # Another salt: a frame of an earlier round, or one that is damaged.
            yield start, any(frame[4:8])


def _is_whole(header: bytes) -> bool:
    """Zeros, which the log is laid out with, would pass the check alone."""
    return header[:3] == _LOG_MAGIC and _log_checksum(header[:24], _words(header)) == _sums(header[24:])


def _newest_salt(log: _File) -> bytes:
    """That of the latest round, whose first half is one more with each, where the header does not tell."""
    read = (log.read(start, 16)[8:] for start in _frame_starts(log))
    salts = Counter(salt for salt in read if any(salt))
    # A frame that is the only one with its salt may be rubbish.
    return max((salt for salt, n in salts.items() if n > 1), default=max(salts, default=b""))


def _frame_starts(log: _File) -> range:
    return range(_LOG_HEADER_BYTES, log.n_bytes - FRAME_BYTES + 1, FRAME_BYTES)


def _n_bytes_sound(log: _File) -> int:
    """Up to where the log passes its check, which runs on from frame to frame."""
    header = log.read(0, _LOG_HEADER_BYTES)
    if not _is_whole(header):
        return 0
    words, sums, end = _words(header), _sums(header[24:]), _LOG_HEADER_BYTES
    while end + FRAME_BYTES <= log.n_bytes:
        frame = log.read(end, FRAME_BYTES)
        sums = _log_checksum(frame[:8] + frame[24:], words, *sums)
        if frame[8:16] != header[16:24] or sums != _sums(frame[16:24]):
            break
        end += FRAME_BYTES
    return end


def _log_checksum(content: bytes, words: str, first: int = 0, second: int = 0) -> tuple[int, int]:
    """The two sums, going on from `first` and `second`.

    https://www.sqlite.org/fileformat2.html#checksum_algorithm
    """
    for one, two in struct.iter_unpack(words, content):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


def _words(header: bytes) -> str:
    """The byte order of the words that are summed up, as the log's first four bytes tell."""
    return ">II" if header[3] & 1 else "<II"


def _sums(content: bytes) -> tuple[int, int]:
    return integer(content[:4]), integer(content[4:])


def integer(content: bytes) -> int:
    """As everywhere in these files, the most significant byte first."""
    return int.from_bytes(content, "big")
