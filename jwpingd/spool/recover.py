"""Rows read straight from the pages of a database that SQLite itself refuses to read.

Only what passes its own check is to be believed: the caller looks at that.  Format:
https://www.sqlite.org/fileformat2.html (b-tree pages, records, write-ahead log).
"""

from __future__ import annotations

from collections.abc import Iterator
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

Pages = dict[int, bytes]


def rows(database: Path) -> Iterator[list[Any]]:
    """Every row of every table that can be found, in no order.  Raises OSError."""
    pages = _pages(database)
    for number, page in pages.items():
        start = 100 if number == 1 else 0
        kind = page[start]
        if kind not in _MOST_LOCAL:
            continue
        for offset in _cell_offsets(page, start):
            try:
                yield _row(pages, page, offset, kind)
            except (IndexError, KeyError, ValueError):
                continue


def _pages(database: Path) -> Pages:
    """Number → page: the database's own, and over them the committed ones of the write-ahead log."""
    content = _content(database)
    pages = {
        start // PAGE_BYTES + 1: content[start : start + PAGE_BYTES].ljust(PAGE_BYTES, b"\0")
        for start in range(0, len(content), PAGE_BYTES)
    }
    log = _content(log_of(database))
    uncommitted: Pages = {}
    for start in range(_LOG_HEADER_BYTES, len(log) - FRAME_BYTES + 1, FRAME_BYTES):
        if log[start + 8 : start + 16] != log[16:24]:
            break  # Another salt: a frame of an earlier round.
        uncommitted[_integer(log[start : start + 4])] = log[start + 24 : start + FRAME_BYTES]
        if any(log[start + 4 : start + 8]):
            pages |= uncommitted
            uncommitted = {}
    return pages


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _cell_offsets(page: bytes, start: int) -> Iterator[int]:
    n_cells = min(_integer(page[start + 3 : start + 5]), PAGE_BYTES // 4)
    for idx in range(n_cells):
        at = start + 8 + 2 * idx
        yield _integer(page[at : at + 2])


def _row(pages: Pages, page: bytes, offset: int, kind: int) -> list[Any]:
    n_bytes, offset = _varint(page, offset)
    row_id = None
    if kind == _TABLE_LEAF:
        row_id, offset = _varint(page, offset)
    values = _values(_payload(pages, page, offset, n_bytes, _MOST_LOCAL[kind]))
    if row_id is not None and values[0] is None:
        values[0] = row_id
    return values


def _payload(pages: Pages, page: bytes, offset: int, n_bytes: int, n_most_local: int) -> bytes:
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
