"""The form of all findings."""

from __future__ import annotations

from typing import NamedTuple


class Section(NamedTuple):
    """One subject.  `failures` keep the daemon from its work, `warnings` need not."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
