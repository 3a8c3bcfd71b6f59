"""Checkpoints ⇄ rows: what survives of running plays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jwpingd.spool import rows
from jwpingd.spool.entry import Checkpoint, Entry
from jwpingd.spool.schema import PLAY_COLUMNS
from jwpingd.spool.store import Store

_COLUMNS = PLAY_COLUMNS.split(", ")
# An update of the same size writes over the old row.  REPLACE makes a new one, on new pages.
_PUT = (
    f"INSERT INTO play({PLAY_COLUMNS}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    f" ON CONFLICT(play) DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in _COLUMNS[1:])}"
)


def write(store: Store, checkpoints: Iterable[Checkpoint]) -> None:
    """Keep these instead of any earlier ones of their plays.  Raises sqlite3.Error."""
    store.connection.executemany(
        _PUT,
        [_encode(store, checkpoint) for checkpoint in checkpoints],
    )


def remove(store: Store, plays: Iterable[str]) -> None:
    """These plays are over.  Raises sqlite3.Error."""
    store.connection.executemany("DELETE FROM play WHERE play = ?", ((play,) for play in plays))


def read(store: Store) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints, by play; and the plays whose row fails its check.  Raises sqlite3.Error."""
    found, bad = [], []
    for row in store.connection.execute(f"SELECT {PLAY_COLUMNS} FROM play ORDER BY play"):
        if is_whole(row):
            found.append(decode(row, store.boots.id_of(row[1])))
        else:
            bad.append(row[0])
    return found, bad


def is_whole(row: tuple[Any, ...]) -> bool:
    """Whether a checkpoint's row is as it was written."""
    return bool(row[6] == rows.checksum(row[:6] + row[7:]))


def decode(row: tuple[Any, ...], boot_id: str) -> Checkpoint:
    """The checkpoint of a row that is whole."""
    play, _, boot_ms, sa_ms, is_guessed, watched_s, _, kind, target, state = row
    if target is None:
        return Checkpoint(play, None, state)
    will = Entry(0, play, kind, watched_s, target, boot_id, boot_ms, sa_ms, bool(is_guessed))
    return Checkpoint(play, will, state)


def _encode(store: Store, checkpoint: Checkpoint) -> tuple[Any, ...]:
    will = checkpoint.will
    if will is None:
        return rows.with_crc((checkpoint.play, *(None,) * 7, checkpoint.state))
    boot = store.boots.number_of(store.connection, will.boot_id)
    times = (boot, will.boot_ms, will.sa_ms, int(will.is_guessed), will.watched_s)
    return rows.with_crc((checkpoint.play, *times, will.kind, will.target, checkpoint.state))
