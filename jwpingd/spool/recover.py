"""Rows read straight from the pages of a database that SQLite itself refuses to read.

Only what passes its own check is to be believed: the caller looks at that.  Format:
https://www.sqlite.org/fileformat2.html (b-tree pages, records, write-ahead log).
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from jwpingd.spool.files import log_of
from jwpingd.spool.limits import FRAME_BYTES, PAGE_BYTES

_LOG_HEADER_BYTES = 32
_TABLE_LEAF, _INDEX_LEAF = 0x0D, 0x0A
_MOST_LOCAL = {_TABLE_LEAF: PAGE_BYTES - 35, _INDEX_LEAF: (PAGE_BYTES - 12) * 64 // 255 - 23}
_LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MAX_ROW_BYTES = 64 << 10  # Ten times the largest row: a length beyond it is a damaged length.


def rows(database: Path, max_bytes: int) -> Iterator[list[Any]]:
    """Every row of every table that can be found in the first `max_bytes`, in no order.  Raises OSError."""
    with closing(_Pages(database, max_bytes)) as pages:
        for number in pages.numbers():
            page, start = pages[number], 100 if number == 1 else 0
            kind = page[start]
            if kind not in _MOST_LOCAL:
                continue
            for offset in _cell_offsets(page, start):
                try:
                    yield _row(pages, page, offset, kind)
                except (IndexError, KeyError, ValueError):
                    continue


def is_log_broken(database: Path, max_bytes: int) -> bool:
    """Whether acknowledged transactions stand in the log behind a damaged frame.

    SQLite takes the first frame that fails its check for the end of the log, and says nothing.  More
    than one transaction behind it cannot be what a power cut left: each was synced before the next.
    """
    with closing(_File(log_of(database), max_bytes)) as log:
        begin = _n_bytes_sound(log)
        return sum(is_commit for start, is_commit in _frames(log) if start >= begin) > 1


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


class _Pages:
    """Number → page: the database's own, and over them the committed ones of the write-ahead log."""

    def __init__(self, database: Path, max_bytes: int) -> None:
        self._database = _File(database, max_bytes)
        self._log = _File(log_of(database), max_bytes)
        self._n_pages = -(-self._database.n_bytes // PAGE_BYTES)
        self._place_in_log: dict[int, int] = {}
        uncommitted: dict[int, int] = {}
        for start, is_commit in _frames(self._log):
            uncommitted[_integer(self._log.read(start, 4))] = start + FRAME_BYTES - PAGE_BYTES
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
        self._database.close()
        self._log.close()


def _frames(log: _File) -> Iterator[tuple[int, bool]]:
    """(start, whether a transaction ends with it) of the frames of the log's latest round."""
    header = log.read(0, _LOG_HEADER_BYTES)
    is_whole = _log_checksum(header[:24], _words(header)) == _sums(header[24:])
    first = log.read(_LOG_HEADER_BYTES, 24)
    salt = header[16:24] if is_whole else first[8:16]
    for start in range(_LOG_HEADER_BYTES, log.n_bytes - FRAME_BYTES + 1, FRAME_BYTES):
        frame = log.read(start, 16)
        if frame[8:] == salt:  # Another salt: a frame of an earlier round, or one that is damaged.
            yield start, any(frame[4:8])


def _n_bytes_sound(log: _File) -> int:
    """Up to where the log passes its check, which runs on from frame to frame."""
    header = log.read(0, _LOG_HEADER_BYTES)
    words = _words(header)
    sums = _log_checksum(header[:24], words)
    end = _LOG_HEADER_BYTES
    if sums != _sums(header[24:]):
        return 0
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
    return _integer(content[:4]), _integer(content[4:])


def _cell_offsets(page: bytes, start: int) -> Iterator[int]:
    n_cells = min(_integer(page[start + 3 : start + 5]), PAGE_BYTES // 4)
    for idx in range(n_cells):
        at = start + 8 + 2 * idx
        yield _integer(page[at : at + 2])


def _row(pages: _Pages, page: bytes, offset: int, kind: int) -> list[Any]:
    n_bytes, offset = _varint(page, offset)
    row_id = None
    if kind == _TABLE_LEAF:
        row_id, offset = _varint(page, offset)
    values = _values(_payload(pages, page, offset, n_bytes, _MOST_LOCAL[kind]))
    if row_id is not None and values[0] is None:
        values[0] = row_id
    return values


def _payload(pages: _Pages, page: bytes, offset: int, n_bytes: int, n_most_local: int) -> bytes:
    if n_bytes > _MAX_ROW_BYTES:
        raise ValueError("longer than any row")
    if n_bytes <= n_most_local:
        return page[offset : offset + n_bytes]
    n_local = _LEAST_LOCAL + (n_bytes - _LEAST_LOCAL) % (PAGE_BYTES - 4)
    n_local = n_local if n_local <= n_most_local else _LEAST_LOCAL
    payload = page[offset : offset + n_local]
    following = _integer(page[offset + n_local : offset + n_local + 4])
    while len(payload) < n_bytes:
        overflow = pages[following]
        following = _integer(overflow[:4])
        payload += overflow[4 : 4 + n_bytes - len(payload)]
    return payload


def _values(payload: bytes) -> list[Any]:
    header_bytes, at = _varint(payload, 0)
    values, start = [], header_bytes
    while at < header_bytes:
        serial_type, at = _varint(payload, at)
        value, start = _value(payload, start, serial_type)
        values.append(value)
    return values


def _value(payload: bytes, start: int, serial_type: int) -> tuple[Any, int]:
    """The value at `start` and where the next one begins."""
    if serial_type == 0:
        return None, start
    if serial_type in (8, 9):
        return serial_type - 8, start
    if serial_type in _INTEGER_BYTES:
        end = start + _INTEGER_BYTES[serial_type]
        return int.from_bytes(payload[start:end], "big", signed=True), end
    if serial_type < 13 or serial_type % 2 == 0:
        raise ValueError("neither a whole number nor text")
    end = start + (serial_type - 13) // 2
    return payload[start:end].decode("utf-8", "surrogateescape"), end


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for idx in range(at, at + 8):
        value = value << 7 | content[idx] & 0x7F
        if content[idx] < 0x80:
            return value, idx + 1
    value = value << 8 | content[at + 8]
    return value - (1 << 64) if value >> 63 else value, at + 9


def _integer(content: bytes) -> int:
    return int.from_bytes(content, "big")
