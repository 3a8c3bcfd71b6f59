"""The counters: one page of the database, read at opening and written with what they count."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Mapping

DROPPED = ("age", "full", "opt_out", "operator", "damage")
"""Why an accepted ping may be gone without having been delivered."""

COUNTED = ("accepted", "delivered", "waiting", "set_aside", "folded", *(f"dropped.{why}" for why in DROPPED))
"""The account: the first is the sum of all others."""

MARKS = ("last_id", "last_batch", "tried_to")
"""Not counts: they only ever rise."""

_CRC = "crc"


class Counters:
    """Name → number.  Changes take effect in the store with `save`, in the transaction of their cause."""

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = dict(values)
        self._saved = dict(values)

    def __getitem__(self, name: str) -> int:
        return self._values.get(name, 0)

    def add(self, name: str, n: int) -> None:
        """Count `n` more."""
        if n:
            self._values[name] = self[name] + n

    def move(self, n: int, source: str, destination: str) -> None:
        """Count `n` under another name."""
        self.add(source, -n)
        self.add(destination, n)

    def raise_to(self, name: str, n: int) -> None:
        """A mark never goes back."""
        if n > self[name]:
            self._values[name] = n

    def put(self, name: str, n: int) -> None:
        """Set it, whatever it was."""
        self._values[name] = n

    def replace(self, other: Counters) -> None:
        """Take the values of `other` for those of this one."""
        self._values = dict.fromkeys(self._values, 0) | other.values()

    def values(self) -> dict[str, int]:
        """All of them that were ever counted."""
        return dict(self._values)

    def missing(self) -> int:
        """How many were accepted and are accounted for nowhere; 0 whenever the account holds."""
        accepted, *rest = COUNTED
        return self[accepted] - sum(self[name] for name in rest)

    def save(self, connection: sqlite3.Connection) -> None:
        """Write what has changed, and the check over all.  Raises sqlite3.Error."""
        changed = [item for item in self._values.items() if self._saved.get(item[0]) != item[1]]
        if not changed:
            return
        changed.append((_CRC, check(self._values)))
        connection.executemany("REPLACE INTO counter(name, n) VALUES (?, ?)", changed)
        self._saved = dict(self._values)


def load(connection: sqlite3.Connection) -> Counters | None:
    """The counters of a store, None if they fail their check.  Raises sqlite3.Error."""
    return of_rows(connection.execute("SELECT name, n FROM counter"))


def of_rows(rows: Iterable[tuple[str, int]]) -> Counters | None:
    """The counters of these rows, None if they fail their check."""
    values = dict(rows)
    stored = values.pop(_CRC, 0)
    if not all(isinstance(name, str) and isinstance(n, int) for name, n in values.items()):
        return None
    return Counters(values) if values == {} or stored == check(values) else None


def check(values: Mapping[str, int]) -> int:
    """A CRC-32 over all names and numbers; 0 where there are none."""
    text = ",".join(f"{name}={values[name]}" for name in sorted(values))
    return zlib.crc32(text.encode("utf-8", "surrogateescape"))
