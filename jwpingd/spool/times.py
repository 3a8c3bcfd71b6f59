"""Times of entries that were made before the wall clock was known: fixed once, never changed.

The boots stand in the order in which they were first seen.  An entry's time is exact if the clock of
its own boot became known.  Otherwise its boot cannot have ended later than the start of the next one
whose clock is known: its last entry gets that moment, the others their distance from it, and all are
marked as guessed and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from jwpingd.spool import plays, rows
from jwpingd.spool.boots import Boot, Boots
from jwpingd.spool.entry import Entry
from jwpingd.spool.limits import n_pages
from jwpingd.spool.store import Store

_SAME_CLOCK_MS = 1000  # A clock that wandered by less is not worth a write.


def fix(store: Store, boot_id: str, offset_ms: int) -> int:
    """The clock of `boot_id` is known: its boottime 0 was at `offset_ms`.  How many entries were fixed.

    Raises sqlite3.Error.
    """
    known = store.boots.find(boot_id)
    if known is None or known.offset_ms is None or abs(known.offset_ms - offset_ms) >= _SAME_CLOCK_MS:
        with store.transaction():
            number = store.boots.number_of(store.connection, boot_id)
            store.boots.write(store.connection, Boot(number, boot_id, offset_ms))
    return _settle(store, _reckoning(store, boot_id, offset_ms, is_trusted=True).time_of)


def guess(store: Store, boot_id: str, offset_ms: int) -> int:
    """Nobody vouches for the clock of `boot_id`, but its entries were held long enough.

    How many entries got their time.  Raises sqlite3.Error.
    """
    with store.transaction():
        store.boots.number_of(store.connection, boot_id)
    return _settle(store, _reckoning(store, boot_id, offset_ms, is_trusted=False).time_of)


class _Reckoning(NamedTuple):
    """What time an entry gets, now that something is known of the clock of `boot_id`.

    `last_boot_ms` is the boottime of the last entry without a time, by boot, of all other boots.
    """

    boots: Boots
    boot_id: str
    offset_ms: int
    is_trusted: bool
    last_boot_ms: Mapping[str, int]

    def time_of(self, entry: Entry) -> Entry:
        """The entry with its time, or as it was if even now nothing is known."""
        if entry.boot_id == self.boot_id and self.is_trusted:
            return entry._replace(sa_ms=entry.boot_ms + self.offset_ms)
        own = self.boots.find(entry.boot_id)
        if own is not None and own.offset_ms is not None:
            return entry._replace(sa_ms=entry.boot_ms + own.offset_ms)
        if entry.boot_id == self.boot_id:
            return entry._replace(sa_ms=entry.boot_ms + self.offset_ms, is_guessed=True)
        latest_ms = self._latest_ms(own)
        if latest_ms is None:
            return entry
        before_last_ms = self.last_boot_ms.get(entry.boot_id, entry.boot_ms) - entry.boot_ms
        return entry._replace(sa_ms=latest_ms - before_last_ms, is_guessed=True)

    def _latest_ms(self, own: Boot | None) -> int | None:
        """The start of the earliest boot with a known clock after `own` (None: its place is unknown)."""
        later = [boot for boot in self.boots.in_order() if own is None or boot.number > own.number]
        known_ms = [boot.offset_ms for boot in later if boot.offset_ms is not None]
        if not known_ms and any(boot.boot_id == self.boot_id for boot in later):
            known_ms = [self.offset_ms]
        return min(known_ms, default=None)


def _reckoning(store: Store, boot_id: str, offset_ms: int, *, is_trusted: bool) -> _Reckoning:
    known = store.boots.find(boot_id)
    number = known.number if known else 0
    last: dict[str, int] = {}
    if store.counters["held"]:
        for entry in rows.scan(store, f"sa_ms IS NULL AND boot <> {number}"):
            last[entry.boot_id] = max(last.get(entry.boot_id, 0), entry.boot_ms)
    for will in (checkpoint.will for checkpoint in plays.read(store)[0]):
        if will is not None and will.sa_ms is None and will.boot_id != boot_id:
            last[will.boot_id] = max(last.get(will.boot_id, 0), will.boot_ms)
    return _Reckoning(store.boots, boot_id, offset_ms, is_trusted, last)


def _settle(store: Store, time_of: Callable[[Entry], Entry]) -> int:
    n_settled = 0
    if store.counters["held"]:
        for portion in _portions(store):
            settled = [entry for entry in map(time_of, portion) if entry.sa_ms is not None]
            with store.transaction():
                rows.rewrite(store, settled)
                store.counters.add("held", -len(settled))
                store.counters.add("clock_guessed", sum(entry.is_guessed for entry in settled))
            n_settled += len(settled)
    _settle_wills(store, time_of)
    return n_settled


def _portions(store: Store) -> Iterator[list[Entry]]:
    """Entries without a time, as many at once as one transaction may rewrite."""
    portion: list[Entry] = []
    room = store.limits.transaction_frames
    for entry in rows.scan(store, "sa_ms IS NULL"):
        room -= 2 * n_pages(len(entry.target))
        portion.append(entry)
        if room <= 0:
            yield portion
            portion, room = [], store.limits.transaction_frames
    yield portion


def _settle_wills(store: Store, time_of: Callable[[Entry], Entry]) -> None:
    """A will counts as guessed only when it becomes a ping."""
    found, _ = plays.read(store)
    settled = [
        checkpoint._replace(will=time_of(checkpoint.will))
        for checkpoint in found
        if checkpoint.will is not None and checkpoint.will.sa_ms is None
    ]
    if settled:
        with store.transaction():
            plays.write(store, settled)
