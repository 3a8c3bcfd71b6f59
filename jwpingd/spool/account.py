"""The account: what became of every ping.  And its second copy, which survives a damaged store."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from jwpingd.spool.counters import COUNTED, DROPPED, Counters, check
from jwpingd.spool.entry import Entry


class Account(NamedTuple):
    """`accepted = delivered + waiting + set_aside + folded + Σ dropped`, always.

    `held` of the waiting have no time yet.  `clock_guessed` counts times that rest on a clock nobody
    vouched for.  `oldest` is the waiting entry with the smallest id.  `others` are counters that were
    handed in and are unknown here.
    """

    accepted: int = 0
    delivered: int = 0
    waiting: int = 0
    set_aside: int = 0
    folded: int = 0
    dropped: Mapping[str, int] = MappingProxyType(dict.fromkeys(DROPPED, 0))
    clock_guessed: int = 0
    held: int = 0
    oldest: Entry | None = None
    others: Mapping[str, int] = MappingProxyType({})

    def plus(self, deltas: Mapping[str, int]) -> Account:
        """The account with `deltas` (counter → how many more) added; dropped ones as "dropped.full"."""
        changed = {name: getattr(self, name) + deltas[name] for name in _PLAIN if name in deltas}
        dropped = {why: n + deltas.get(f"dropped.{why}", 0) for why, n in self.dropped.items()}
        return self._replace(dropped=dropped, **changed)


_PLAIN = ("accepted", "delivered", "waiting", "set_aside", "folded", "clock_guessed", "held")
_KNOWN = {*COUNTED, *_PLAIN, "last_id", "last_batch", "tried_to"}


def account_of(counters: Counters, oldest: Entry | None) -> Account:
    """The account that the counters tell."""
    return Account(
        **{name: counters[name] for name in _PLAIN},
        dropped={why: counters[f"dropped.{why}"] for why in DROPPED},
        oldest=oldest,
        others={name: n for name, n in counters.values().items() if name not in _KNOWN},
    )


MAX_COPY_BYTES = 64 << 10  # A hundred times what it is; whatever lies in its place, no more is read.


def read_copy(path: Path) -> dict[str, int] | None:
    """The counters as last written to the second copy; None where there is none or it is damaged."""
    try:
        with path.open("rb") as file:
            copy = json.loads(file.read(MAX_COPY_BYTES))
        values = copy["counters"]
        is_whole = all(type(n) is int for n in values.values()) and copy["crc"] == check(values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return values if is_whole else None


def write_copy(path: Path, values: Mapping[str, int]) -> None:
    """Replace the second copy: written, synced, renamed.  Raises OSError."""
    text = json.dumps({"counters": values, "crc": check(values)}, sort_keys=True)
    successor = path.with_name(path.name + ".new")
    with successor.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(successor, path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make renames in it durable.  Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
