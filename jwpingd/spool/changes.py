"""What a batch changes, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jwpingd.errors import StoreError
from jwpingd.spool import aside, plays, room, rows
from jwpingd.spool.entry import Batch, Entry
from jwpingd.spool.room import Fold
from jwpingd.spool.schema import pragma
from jwpingd.spool.store import Store


def apply(store: Store, batch: Batch, fold: Fold) -> None:
    """Do what `batch` says, once: it is skipped if the store has seen its number.  Raises sqlite3.Error."""
    if batch.number <= store.counters["last_batch"]:
        return
    _delete_early(store, batch, len(batch.delivered) - store.limits.max_deletes)
    if room.n_lacking(store, batch.puts, batch.checkpoints):
        _delete_early(store, batch, len(batch.delivered))
        _fold_early(store, batch, fold)
    if room.is_large(store, batch.puts, batch.checkpoints):
        store.begin_log_anew()
    with store.transaction():
        _apply(store, batch)


def apply_on_full_disk(store: Store, batch: Batch, fold: Fold) -> None:
    """As `apply`, but only deletes and what fits into free pages.  Raises StoreError for more."""
    if batch.number <= store.counters["last_batch"]:
        return
    _delete_early(store, batch, len(batch.delivered))
    n_needed = room.pages_of(batch.puts, batch.checkpoints)
    if n_needed > pragma(store.connection, "freelist_count"):
        raise StoreError("the file system is full; the store takes deletes only (free some space)")
    apply(store, batch, fold)


def _delete_early(store: Store, batch: Batch, n_rows: int) -> None:
    """Delete `n_rows` of the delivered ahead: that may be repeated, so it need not be one transaction."""
    for portion in portions(batch.delivered[: max(n_rows, 0)], store.limits.max_deletes):
        with store.transaction():
            rows.remove(store, portion, "delivered")


def _fold_early(store: Store, batch: Batch, fold: Fold) -> None:
    """Fold until the batch fits or nothing folds any more; what is folded may stay so, whatever follows."""
    while n_lacking := room.n_lacking(store, batch.puts, batch.checkpoints):
        with store.transaction():
            # What may have been tried is not folded, and some may have been since the last batch.
            store.counters.raise_to("tried_to", batch.tried_to)
            n_folded = room.fold_some(store, n_lacking, batch.claimed, fold)
        if not n_folded:
            return


def portions(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """`ids` in lots that one transaction may delete."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _apply(store: Store, batch: Batch) -> None:
    store.counters.raise_to("tried_to", batch.tried_to)
    aside.put_bad(store)
    put_ids = {entry.id for entry in batch.puts}
    rows.remove(store, [entry_id for entry_id in batch.delivered if entry_id not in put_ids], "delivered")
    if batch.ended:
        plays.remove(store, batch.ended)
    fitting = room.make_room(store, batch.puts, batch.checkpoints, batch.claimed)
    _count_unfit(store, batch.puts, fitting)
    rows.insert(store, fitting)
    rows.remove(store, [entry_id for entry_id in batch.delivered if entry_id in put_ids], "delivered")
    aside.put(store, batch.set_aside, batch.wall_ms)
    if batch.checkpoints:
        plays.write(store, batch.checkpoints)
    for name, n in batch.n_more_counts.items():
        store.counters.add(name, n)
    if not batch.may_be_repeated:
        store.counters.raise_to("last_batch", batch.number)


def _count_unfit(store: Store, puts: Sequence[Entry], fitting: Sequence[Entry]) -> None:
    """Puts for which no room could be made are accepted and dropped at once."""
    if len(fitting) == len(puts):
        return
    unfit = {entry.id for entry in puts} - {entry.id for entry in fitting}
    n_unfit = len(unfit) - len(rows.select(store, sorted(unfit)))
    store.counters.add("accepted", n_unfit)
    store.counters.add("dropped.full", n_unfit)
    store.counters.raise_to("last_id", max(unfit))
