"""Room for new entries when the store is full: first fold, which keeps watch time, then drop oldest.

Folded are neighbouring `t` of the same play that were never tried and that nobody has in hand.
Both kinds of making room take a little more than is needed, so that a full store does not do it at
every commit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from jwpingd.spool import rows
from jwpingd.spool.entry import FOLDABLE_KIND, Checkpoint, Entry
from jwpingd.spool.limits import FRAME_BYTES, PAGE_BYTES, n_pages
from jwpingd.spool.schema import pragma
from jwpingd.spool.store import Store

Fold = Callable[[str, str], str | None]
"""Two targets, the earlier first → the later with the seconds of both; None if they must stay two."""

_SPARE = 64  # A full store is emptied by a 64th more than is needed (in pages).
_TREE_PAGES = 12  # Counters, boots and inner pages of the trees that may come on top.


def make_room(
    store: Store,
    puts: Sequence[Entry],
    checkpoints: Sequence[Checkpoint],
    claimed: Collection[int],
) -> list[Entry]:
    """Drop until `puts` and `checkpoints` fit; the puts that do, which is all but in extremity.

    What can be folded should be by now.  Raises sqlite3.Error.
    """
    n_needed = pages_of(puts, checkpoints)
    n_free = store.n_free_pages() if n_needed else 0
    if n_free < n_needed:
        drop_oldest(store, n_needed + _n_spare(store), claimed)
        n_free = store.n_free_pages()
    if n_needed > n_free or is_large(store, puts, checkpoints):
        return _fitting(store, puts, n_free - pages_of((), checkpoints), claimed)
    return list(puts)


def n_lacking(store: Store, puts: Sequence[Entry], checkpoints: Sequence[Checkpoint]) -> int:
    """Pages to make free before these are put; 0 where they fit.  Raises sqlite3.Error."""
    n_needed = pages_of(puts, checkpoints)
    n_free = store.n_free_pages() if n_needed else 0
    return n_needed + _n_spare(store) - n_free if n_free < n_needed else 0


def is_large(store: Store, puts: Sequence[Entry], checkpoints: Sequence[Checkpoint]) -> bool:
    """Whether this takes more of the write-ahead log than is set apart for a transaction."""
    return pages_of(puts, checkpoints) > _n_usual_pages(store)


def _n_usual_pages(store: Store) -> int:
    """What a transaction may write so that, with all that comes on top, the log has room for it."""
    return store.limits.transaction_frames // 4


def _n_spare(store: Store) -> int:
    return store.n_most_pages // _SPARE


def pages_of(puts: Sequence[Entry], checkpoints: Sequence[Checkpoint]) -> int:
    """Pages that these take, at most; 0 for nothing."""
    n = sum(map(_entry_pages, puts)) + sum(map(_checkpoint_pages, checkpoints))
    return n + _TREE_PAGES if n else 0


def drop_oldest(store: Store, n_free_wanted: int, claimed: Collection[int]) -> None:
    """Drop the oldest that nobody has in hand until so many pages are free.  Raises sqlite3.Error."""
    n_missing = n_free_wanted - store.n_free_pages()
    while n_missing > 0:
        ids = []
        for entry_id, n_freed in _oldest_sizes(store, claimed):
            ids.append(entry_id)
            n_missing -= n_freed
            if n_missing <= 0:
                break
        if not rows.remove(store, ids, "dropped.full"):
            return
        n_missing = n_free_wanted - store.n_free_pages()


def fold_some(store: Store, n_wanted: int, claimed: Collection[int], fold: Fold) -> int:
    """Fold, oldest first, until about `n_wanted` pages are free more than before; how many were folded.

    They are no more than one transaction takes of the log without more ado.  Raises sqlite3.Error.
    """
    plan = _Plan()
    n_most_pages = _n_usual_pages(store)
    for earlier_id, later_id in _neighbours(store, claimed):
        plan.add(store, earlier_id, later_id, fold)
        if plan.n_freed >= n_wanted or plan.n_pages >= n_most_pages:
            break
    rows.rewrite(store, plan.changed.values())
    return rows.remove(store, plan.gone, "folded")


class _Plan:
    """What folding comes to: a run of ten `t` is written once, not nine times."""

    def __init__(self) -> None:
        self.gone: list[int] = []
        self.changed: dict[int, Entry] = {}
        self.n_freed = 0.0
        self.n_pages = 0  # that it writes, at most

    def add(self, store: Store, earlier_id: int, later_id: int, fold: Fold) -> None:
        wanted = [entry_id for entry_id in (earlier_id, later_id) if entry_id not in self.changed]
        entries = self.changed | rows.select(store, wanted)
        earlier, later = entries.get(earlier_id), entries.get(later_id)
        if earlier is None or later is None:
            return
        target = fold(earlier.target, later.target)
        if target is None:
            return
        # What was changed before is counted already.
        self.n_pages += sum(_entry_pages(entries[entry_id]) for entry_id in wanted)
        self.changed.pop(earlier_id, None)
        self.changed[later_id] = later._replace(target=target, watched_s=earlier.watched_s + later.watched_s)
        self.gone.append(earlier_id)
        self.n_freed += len(earlier.target) / PAGE_BYTES


def _neighbours(store: Store, claimed: Collection[int]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier id, later id) that may be folded: nothing of their play stands between them."""
    last_of: dict[str, tuple[int, int]] = {}
    for entry_id, is_held, kind, play in _outlines(store):
        earlier = last_of.pop(play, None)
        if kind != FOLDABLE_KIND or entry_id in claimed:
            continue
        last_of[play] = (entry_id, is_held)
        if earlier is not None and earlier[1] == is_held:
            yield earlier[0], entry_id


def _outlines(store: Store) -> Iterator[tuple[int, int, str, str]]:
    """(id, has no time yet, kind, play) of all entries that were never tried, by id."""
    query = "SELECT id, sa_ms IS NULL, kind, play FROM ping WHERE id > ? ORDER BY id LIMIT 512"
    after_id = store.counters["tried_to"]
    while portion := store.connection.execute(query, (after_id,)).fetchall():
        yield from portion
        after_id = portion[-1][0]


def _oldest_sizes(store: Store, claimed: Collection[int]) -> Iterator[tuple[int, int]]:
    """(id, pages that it frees at least) of the oldest that nobody has in hand."""
    query = "SELECT id, length(target) FROM ping ORDER BY id LIMIT ?"
    for entry_id, size in store.connection.execute(query, (64 + len(claimed),)).fetchall():
        if entry_id not in claimed:
            yield entry_id, max(1, (size or 0) // PAGE_BYTES)


def _fitting(store: Store, puts: Sequence[Entry], n_free: int, claimed: Collection[int]) -> list[Entry]:
    """The puts that fit into the free pages and into the log; of too many, the oldest go."""
    database_bytes = pragma(store.connection, "page_count") * PAGE_BYTES
    # Until the log is brought into the database, a new page stands in both.
    n_log = (store.storage_limit_bytes - database_bytes) // (FRAME_BYTES + PAGE_BYTES)
    n_left = min(n_free, n_log)
    kept: set[int] = set()
    for entry in sorted(puts, key=lambda entry: (entry.id not in claimed, -entry.id)):
        n_left -= _entry_pages(entry)
        if n_left < 0:
            break
        kept.add(entry.id)
    return [entry for entry in puts if entry.id in kept]


def _entry_pages(entry: Entry) -> int:
    return n_pages(len(entry.target) + len(entry.play) + len(entry.kind))


def _checkpoint_pages(checkpoint: Checkpoint) -> int:
    will_bytes = len(checkpoint.will.target) if checkpoint.will else 0
    return n_pages(len(checkpoint.state) + will_bytes)
