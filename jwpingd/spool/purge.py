"""A purge: what may no longer be told goes, from waiting pings, dead letters and checkpoints.

It is done in portions that may be repeated, because a full store does not fit into one transaction.
A row that fails its check goes too: nobody can say whose it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

from jwpingd.spool import aside, plays, rows
from jwpingd.spool.changes import portions
from jwpingd.spool.entry import Entry, Purge
from jwpingd.spool.files import Files
from jwpingd.spool.store import Store


def apply(store: Store, purge: Purge, except_ids: Collection[int] = ()) -> None:
    """Drop or shorten every row but those in `except_ids`, and count.  Raises sqlite3.Error."""
    purge = purge._replace(tried_to=max(purge.tried_to, store.counters["tried_to"]))
    destination = f"dropped.{purge.reason}"
    entries = (entry for entry in rows.scan(store) if entry.id not in except_ids)
    while portion := list(itertools.islice(entries, store.limits.max_deletes)):
        _apply_to(store, portion, purge, destination)
    for ids in portions(sorted(store.bad_ids), store.limits.max_deletes):
        with store.transaction():
            rows.remove(store, ids, destination)
    store.bad_ids.clear()
    for ids in portions(_letters(store, purge), store.limits.max_deletes):
        with store.transaction():
            aside.remove(store, ids, destination)
    with store.transaction():
        _apply_to_checkpoints(store, purge)


def erase(store: Store, its_files: Files, *, is_of_box: bool) -> None:
    """Leave nothing in any file of what is gone from the tables.  Raises sqlite3.Error and OSError."""
    store.checkpoint()
    if is_of_box:
        its_files.forget_copies()
    else:
        its_files.forget_damaged()


def _apply_to(store: Store, entries: list[Entry], purge: Purge, destination: str) -> None:
    revised = [(entry, purge.revised(entry)) for entry in entries]
    doomed = [entry.id for entry, left in revised if left is None]
    changed = [left for entry, left in revised if left is not None and left is not entry]
    if not doomed and not changed:
        return
    with store.transaction():
        rows.remove(store, doomed, destination)
        rows.rewrite(store, changed)


def _letters(store: Store, purge: Purge) -> list[int]:
    """The dead letters that go.  Each was tried, so none is changed."""
    return [
        letter.entry.id
        for letter in aside.read(store)
        if not letter.can_requeue or purge.revise(letter.entry.target) != letter.entry.target
    ]


def _apply_to_checkpoints(store: Store, purge: Purge) -> None:
    """A will that changes loses its play's state: that tells of the user, and nobody here can read it."""
    found, gone = plays.read(store)
    for checkpoint in found:
        target = checkpoint.will.target if checkpoint.will else ""
        left = purge.revise(target)
        if left is None:
            gone.append(checkpoint.play)
        elif checkpoint.will and left != target:
            will = checkpoint.will._replace(target=left)
            plays.write(store, [checkpoint._replace(will=will, state="")])
    plays.remove(store, gone)
