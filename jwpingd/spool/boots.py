"""The boots of the box in the order in which they were first seen, and what their clocks were."""

from __future__ import annotations

import sqlite3
import zlib
from typing import Any, NamedTuple

BOOT_COLUMNS = "number, boot_id, offset_ms, crc"
MAX_KEPT = 64  # boots remembered before those that no row names any more are forgotten


class Boot(NamedTuple):
    """`offset_ms` is the wall time at the boot's CLOCK_BOOTTIME 0, None if its clock was never trusted."""

    number: int
    boot_id: str
    offset_ms: int | None


class Boots:
    """Number ⇄ boot id.  A ping's row names its boot by a small number to save flash."""

    def __init__(self, boots: list[Boot]) -> None:
        self._by_number = {boot.number: boot for boot in boots}
        self._by_id = {boot.boot_id: boot for boot in boots}

    def find(self, boot_id: str) -> Boot | None:
        """The boot, if it has been seen."""
        return self._by_id.get(boot_id)

    def id_of(self, number: int) -> str:
        """The boot id; a made-up one where the boot's own row was lost."""
        boot = self._by_number.get(number)
        return boot.boot_id if boot else f"lost-{number}"

    def in_order(self) -> list[Boot]:
        """All of them, first seen first."""
        return [self._by_number[number] for number in sorted(self._by_number)]

    def number_of(self, connection: sqlite3.Connection, boot_id: str) -> int:
        """The boot's number; it gets the next one if it is new.  Raises sqlite3.Error."""
        boot = self._by_id.get(boot_id)
        if boot is None:
            boot = Boot(max(self._by_number, default=0) + 1, boot_id, None)
            self.write(connection, boot)
        return boot.number

    def write(self, connection: sqlite3.Connection, boot: Boot) -> None:
        """Keep what is known of a boot now.  Raises sqlite3.Error."""
        row = (boot.number, boot.boot_id, boot.offset_ms, _crc(boot))
        connection.execute(f"REPLACE INTO boot({BOOT_COLUMNS}) VALUES (?, ?, ?, ?)", row)
        self._by_number[boot.number] = self._by_id[boot.boot_id] = boot

    def forget_unused(self, connection: sqlite3.Connection) -> None:
        """Forget old boots that no row names, once there are many.  Raises sqlite3.Error."""
        if len(self._by_number) <= MAX_KEPT:
            return
        used = {
            number
            for table in ("ping", "aside", "play")
            for (number,) in connection.execute(f"SELECT DISTINCT boot FROM {table}")
        }
        newest = max(self._by_number)
        for boot in self.in_order():
            if boot.number not in used and boot.number != newest:
                connection.execute("DELETE FROM boot WHERE number = ?", (boot.number,))
                del self._by_number[boot.number], self._by_id[boot.boot_id]


def load(connection: sqlite3.Connection) -> Boots:
    """All boots of a store.  Raises sqlite3.Error."""
    found = [of_row(row) for row in connection.execute(f"SELECT {BOOT_COLUMNS} FROM boot")]
    return Boots([boot for boot in found if boot is not None])


def of_row(row: tuple[Any, ...]) -> Boot | None:
    """The boot of a row.  One that fails its check keeps its place, not its clock; None for rubbish."""
    number, boot_id, offset_ms, crc = row
    if not isinstance(number, int) or not isinstance(boot_id, str):
        return None
    boot = Boot(number, boot_id, offset_ms)
    return boot if crc == _crc(boot) else Boot(number, boot_id, None)


def _crc(boot: Boot) -> int:
    text = f"{boot.number}|{boot.boot_id}|{boot.offset_ms}"
    return zlib.crc32(text.encode("utf-8", "surrogateescape"))
