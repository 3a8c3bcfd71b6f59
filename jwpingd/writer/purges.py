"""Purges that are not on flash yet: until then nothing of what they forbid may leave.  No loop, no thread."""

from __future__ import annotations

from typing import NamedTuple

from jwpingd.spool import Entry, Purge


class _Pending(NamedTuple):
    ticket: int
    last_id: int
    purge: Purge


class Purges:
    """In order of their tickets.  The thread may ask while the loop adds: what is asked never changes."""

    def __init__(self) -> None:
        self._pending: tuple[_Pending, ...] = ()

    def add(self, ticket: int, last_id: int, purge: Purge) -> None:
        """A purge of entries up to `last_id`; later ones were made under other terms.

        One that says the same as an earlier one is for all that the earlier one was for.
        """
        others = (each for each in self._pending if each.purge.revise != purge.revise)
        self._pending = (*others, _Pending(ticket, last_id, purge))

    def finish(self, durable_to: int) -> bool:
        """Forget those that are on flash; whether there were any."""
        before = self._pending
        self._pending = tuple(each for each in before if each.ticket > durable_to)
        return self._pending != before

    def cover(self, entry: Entry) -> bool:
        """Whether the entry may not leave as it is."""
        return any(
            entry.id <= each.last_id and each.purge.revise(entry.target) != entry.target
            for each in self._pending
        )
