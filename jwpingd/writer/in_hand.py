"""Entries in the uplink's hands, and the word that there are more.  No store, no thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import trio

from jwpingd.spool import Entry
from jwpingd.writer.offer import Offer


class InHand:
    """`highest_id`: what lies beyond was never handed out in this run."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._being_made: list[list[Entry]] = []
        self._has_more = True
        self._wants_more = trio.lowlevel.ParkingLot()
        self.highest_id = 0
        self.offer = Offer()

    def __contains__(self, entry_id: object) -> bool:
        return entry_id in self._ids

    def __bool__(self) -> bool:
        return bool(self._ids)

    def ids(self) -> frozenset[int]:
        """Of all that is in hand."""
        return frozenset(self._ids)

    @contextmanager
    def making(self, entries: list[Entry]) -> Iterator[None]:
        """These are the uplink's as soon as it has them.  Meanwhile `take_back` may shorten the list.

        If it never gets them they are nobody's.
        """
        self.offer.withdraw()  # A commit may have offered the very same meanwhile.
        self._ids.update(entry.id for entry in entries)
        self.highest_id = max([self.highest_id, *(entry.id for entry in entries)])
        self._being_made.append(entries)
        try:
            yield
        except trio.Cancelled:
            self.release(entry.id for entry in entries)
            raise
        finally:
            self._being_made = [each for each in self._being_made if each is not entries]

    def take_back(self, is_wanted: Callable[[Entry], bool]) -> None:
        """Of the claims that are still being made, these entries are not to be had any more."""
        for entries in self._being_made:
            self.settle(entry.id for entry in entries if is_wanted(entry))
            entries[:] = [entry for entry in entries if not is_wanted(entry)]

    def settle(self, entry_ids: Iterable[int]) -> None:
        """It is known what becomes of these."""
        self._ids.difference_update(entry_ids)

    def release(self, entry_ids: Iterable[int]) -> None:
        """Nobody has these in hand any more; they wait as before."""
        self.offer.withdraw()
        self.settle(entry_ids)
        self.offer_more()

    # --- the word that there are more ---------------------------------------------------------

    def look(self) -> None:
        """The uplink sees all that there is now."""
        self._has_more = False

    def offer_more(self) -> None:
        """There may be something that it did not see."""
        self._has_more = True
        self._wants_more.unpark_all()

    async def wait_for_more(self) -> None:
        """Return when there may be."""
        while not self._has_more:
            await self._wants_more.park()

    @property
    def is_awaited(self) -> bool:
        """Whether the uplink waits for more, and tries at once what comes."""
        return bool(self._wants_more)
