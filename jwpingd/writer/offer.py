"""What the store had for the uplink right after a commit.

An uplink that waits claims at once what a commit brought.  The thread looks for it while it is there, so
that the claim need not wake it up again: on a busy box each time costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from jwpingd.errors import StoreError
from jwpingd.spool import Entry, Spool

_MAX_ENTRIES = 16  # More than that is a backlog, which a claim reads in larger portions.


def claimable(
    spool: Spool, except_ids: Collection[int], is_excepted: Callable[[Entry], bool]
) -> Sequence[Entry] | None:
    """All that a claim could have; None where that is much, or nobody can say.  Never raises."""
    try:
        found = spool.oldest(_MAX_ENTRIES + 1, except_ids=except_ids, is_excepted=is_excepted)
    except StoreError:
        return None  # The commit before it is done all the same, and the claim will meet the error itself.
    return found if len(found) <= _MAX_ENTRIES else None


class Offer:
    """Good for one claim, and only as long as nothing has changed what could be claimed."""

    def __init__(self) -> None:
        self._entries: Sequence[Entry] | None = None
        self._n_changes = 0

    def withdraw(self) -> int:
        """Something changes.  Returns a mark of this moment, for `make`."""
        self._entries = None
        self._n_changes += 1
        return self._n_changes

    def make(self, entries: Sequence[Entry] | None, mark: int) -> None:
        """`entries` are all that could be claimed, unless something has changed since `mark`."""
        if mark == self._n_changes:
            self._entries = entries

    def take(self, limit: int, after_id: int, to_id: int | None) -> list[Entry] | None:
        """The answer to a claim; None where only the store can give it."""
        entries, self._entries = self._entries, None
        if entries is None:
            return None
        fits = (each for each in entries if after_id < each.id and (to_id is None or each.id <= to_id))
        return list(fits)[:limit]
