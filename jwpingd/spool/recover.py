"""Rows read straight from the pages of a database that SQLite itself refuses to read.

Only what passes its own check is to be believed: the caller looks at that.  Format:
https://www.sqlite.org/fileformat2.html (b-tree pages, records).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from jwpingd.spool.limits import PAGE_BYTES
from jwpingd.spool.pages import Pages, integer

_TABLE_LEAF, _INDEX_LEAF = 0x0D, 0x0A  # kinds of b-tree pages
# Payload that stands on the page itself: U = PAGE_BYTES, X and M as the format has them.
_MOST_LOCAL = {_TABLE_LEAF: PAGE_BYTES - 35, _INDEX_LEAF: (PAGE_BYTES - 12) * 64 // 255 - 23}
_LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
MAX_ROW_BYTES = 64 << 10  # Ten times the largest row: a length beyond it is a damaged length.


def rows(database: Path, max_bytes: int) -> Iterator[list[Any]]:
    """Every row of every table that can be found in the first `max_bytes`, in no order.  Raises OSError."""
    with closing(Pages(database, max_bytes)) as pages:
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


def _cell_offsets(page: bytes, start: int) -> Iterator[int]:
    n_cells = min(integer(page[start + 3 : start + 5]), PAGE_BYTES // 4)
    for idx in range(n_cells):
        at = start + 8 + 2 * idx
        yield integer(page[at : at + 2])


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
    if n_bytes > MAX_ROW_BYTES:
        raise ValueError("longer than any row")
    if n_bytes <= n_most_local:
        return page[offset : offset + n_bytes]
    n_local = _LEAST_LOCAL + (n_bytes - _LEAST_LOCAL) % (PAGE_BYTES - 4)
    n_local = n_local if n_local <= n_most_local else _LEAST_LOCAL
    payload = page[offset : offset + n_local]
    following = integer(page[offset + n_local : offset + n_local + 4])
    while len(payload) < n_bytes:
        overflow = pages[following]
        following = integer(overflow[:4])
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
