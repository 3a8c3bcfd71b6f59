"""Values for tests of the spool: entries, batches, and what is to be seen of a store from outside."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from jwpingd.ping import fold
from jwpingd.spool import Account, Batch, Checkpoint, Entry, Limits, Spool

SMALL = Limits(max_bytes=1 << 20)
WALL_MS = 1_700_000_000_000


def entry(
    entry_id: int,
    *,
    play: str = "play00000001",
    kind: str = "t",
    watched_s: int = 5,
    n_bytes: int = 100,
    boot_id: str = "boot-1",
    boot_ms: int | None = None,
    sa_ms: int | None = 0,
) -> Entry:
    """An entry whose target has `n_bytes`; its time follows from the id unless it is None."""
    head, tail = f"/v1/jwplayer6/ping.gif?e={kind}&pli={play}&t=", f"&pw=8&ti={watched_s}"
    target = head + "x" * max(1, n_bytes - len(head) - len(tail)) + tail
    boot_ms = 1000 * entry_id if boot_ms is None else boot_ms
    sa_ms = WALL_MS + boot_ms if sa_ms == 0 else sa_ms
    return Entry(entry_id, play, kind, watched_s, target, boot_id, boot_ms, sa_ms)


def checkpoint(play: str, *, watched_s: int = 3, sa_ms: int | None = 0, state: str = '{"p":1}') -> Checkpoint:
    """A checkpoint with a will."""
    will = entry(1, play=play, kind="gab", watched_s=watched_s, sa_ms=sa_ms)._replace(id=0)
    return Checkpoint(play, will, state)


def opened(
    directory: Path, limits: Limits = SMALL, connection_type: type[sqlite3.Connection] = sqlite3.Connection
) -> Spool:
    """The spool in `directory`, with the real folding."""
    return Spool.open(directory, limits, fold=fold, connection_type=connection_type)


def reopen(spool: Spool) -> None:
    """Let go of the files as a process does that is killed, and open them again.  Raises StoreError."""
    spool._abandon()
    spool.next_id()


def is_balanced(account: Account) -> bool:
    """Whether every accepted ping is accounted for."""
    gone = account.delivered + account.set_aside + account.folded + sum(account.dropped.values())
    return account.accepted == gone + account.waiting


def put(spool: Spool, *entries: Entry, claimed: frozenset[int] = frozenset(), tried_to: int = 0) -> None:
    """Commit these as the next batch."""
    spool.commit(Batch(spool.last_batch + 1, puts=entries, claimed=claimed, tried_to=tried_to))


def rows_of(spool: Spool) -> list[Entry]:
    """Everything that waits."""
    return spool.waiting(1_000_000)


def ids_of(spool: Spool) -> list[int]:
    """The ids of everything that waits."""
    return [each.id for each in rows_of(spool)]


def bytes_in(directory: Path) -> int:
    """What all files of the spool take."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@dataclass(frozen=True, slots=True)
class View:
    """All that can be seen of a store."""

    rows: tuple[Entry, ...]
    checkpoints: tuple[Checkpoint, ...]
    letters: tuple[tuple[int, str], ...]
    counts: tuple[int, ...]
    dropped: tuple[tuple[str, int], ...] = field(default=())


def view(spool: Spool) -> View:
    """How the store looks now."""
    account = spool.account()
    return View(
        tuple(rows_of(spool)),
        tuple(spool.checkpoints()),
        tuple((letter.entry.id, letter.reason) for letter in spool.set_aside_rows()),
        (
            account.accepted,
            account.delivered,
            account.waiting,
            account.set_aside,
            account.folded,
            account.held,
        ),
        tuple(sorted(account.dropped.items())),
    )
