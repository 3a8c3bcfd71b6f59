"""The spool: a durable queue of pings and the checkpoints of running plays, in one SQLite file.

The law: what `commit` returned from is on flash, and every ping that was ever accepted is accounted
for.  The spool knows no clock, no network and no wire key: times, folding and stamping are handed in.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from jwpingd.spool import account, aside, changes, faults, log, plays, purge, rows, times, upkeep
from jwpingd.spool.account import Account
from jwpingd.spool.entry import Batch, Checkpoint, Entry, SetAside
from jwpingd.spool.files import Files, log_of
from jwpingd.spool.limits import Limits
from jwpingd.spool.opening import Opening
from jwpingd.spool.reserve import Reserve
from jwpingd.spool.room import Fold
from jwpingd.spool.store import Store

COPY_EVERY_S = 3600.0  # At most this much of the account is lost with a damaged store.

T = TypeVar("T")


class Spool:
    """One store in one directory.  For one thread at a time, which need not always be the same.

    After a StoreError the files are closed; the next call opens them again, and may succeed.
    `repairs` says in whole sentences what had to be put right; the writer tells it on and empties it.
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits,
        *,
        fold: Fold,
        connection_type: type[sqlite3.Connection] = sqlite3.Connection,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.repairs: list[str] = []
        self.limits = limits
        self._files = Files(directory)
        self._fold = fold
        self._connection_type = connection_type
        self._monotonic_s = monotonic_s
        self._reserve = Reserve(self._files.reserve, limits.reserve_bytes)
        self._store: Store | None = None
        self._suspicion: str | None = None
        self._copied: dict[str, int] = {}
        self._copied_at_s = 0.0

    @classmethod
    def open(
        cls,
        directory: Path,
        limits: Limits,
        *,
        fold: Fold,
        connection_type: type[sqlite3.Connection] = sqlite3.Connection,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> Spool:
        """The spool in `directory`, which is made if need be.  Damage is repaired, see `repairs`.

        Raises StoreError if the place cannot be read or written, ValueError for limits that leave no room.
        """
        limits.check()
        spool = cls(directory, limits, fold=fold, connection_type=connection_type, monotonic_s=monotonic_s)
        spool._use("open", lambda store: None)
        return spool

    @staticmethod
    def is_in(directory: Path) -> bool:
        """Whether there is a store that `open` would not have to make."""
        return os.path.lexists(Files(directory).database)

    # --- writing ------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        """Do what `batch` says as one transaction, synced.  Raises StoreError; try the same batch again."""
        self._use("write to", lambda store: self._commit(store, batch))

    def fix_times(self, boot_id: str, offset_ms: int) -> int:
        """The clock of this boot is trusted: its boottime 0 was at `offset_ms` (Unix time).

        Gives every entry and will that has no time yet its own, exact or guessed; how many entries.
        """
        return self._use("write to", lambda store: times.fix(store, boot_id, offset_ms))

    def guess_times(self, boot_id: str, offset_ms: int) -> int:
        """As `fix_times`, for a clock that nobody vouches for: all of them are marked as guessed."""
        return self._use("write to", lambda store: times.guess(store, boot_id, offset_ms))

    def expire(self, wall_ms: int, *, except_ids: Collection[int] = ()) -> int:
        """Drop what is too old at `wall_ms`, which must be trusted; how many.  Without a time: never."""
        return self._use("write to", lambda store: upkeep.expire(store, wall_ms, except_ids))

    def purge(self, reason: str, *, ids: Collection[int] = (), plays: Collection[str] = ()) -> int:
        """Drop pings by id or play, dead letters and checkpoints too, and count them under `reason`.

        Nothing of them is left in any file: damaged copies and those of other versions go as well.
        """
        return self._purge(lambda store: upkeep.purge(store, ids, plays, reason))

    def requeue(self, ids: Sequence[int], new_ids: Sequence[int]) -> int:
        """Let set-aside pings wait again, under new ids that the writer gives; how many do."""
        return self._use("write to", lambda store: aside.requeue(store, ids, new_ids))

    # --- reading ------------------------------------------------------------------------------

    def oldest(
        self,
        limit: int,
        *,
        except_ids: Collection[int],
        after_id: int = 0,
        to_id: int | None = None,
        is_excepted: Callable[[Entry], bool] = lambda _entry: False,
    ) -> list[Entry]:
        """The first `limit` entries by id whose time is known; a damaged row is passed over."""
        return self._use(
            "read", lambda store: rows.oldest(store, limit, except_ids, after_id, to_id, is_excepted)
        )

    def waiting(self, limit: int, *, after_id: int = 0) -> list[Entry]:
        """The first `limit` entries by id, whether their time is known or not."""
        return self._use("read", lambda store: rows.first(store, limit, after_id))

    def set_aside_rows(self) -> list[SetAside]:
        """The dead letters, oldest first."""
        return self._use("read", aside.read)

    def checkpoints(self) -> list[Checkpoint]:
        """What survives of the plays that were running; a damaged one is passed over."""
        return self._use("read", lambda store: plays.read(store)[0])

    def account(self) -> Account:
        """What became of every ping, as of the last commit."""
        return self._use("read", lambda store: account.account_of(store.counters, rows.first_or_none(store)))

    def next_id(self) -> int:
        """The smallest id that no entry of this store ever had."""
        return self._use("read", lambda store: store.counters["last_id"] + 1)

    @property
    def last_batch(self) -> int:
        """The number of the last batch that was applied."""
        return self._use("read", lambda store: store.counters["last_batch"])

    # --- care ---------------------------------------------------------------------------------

    def thorough_check(self) -> list[str]:
        """Look at every page and row and put right what can be; what was found, in whole sentences."""
        found = self._use("check", upkeep.check_thoroughly)
        self.repairs += found
        return found

    def close(self) -> None:
        """Bring everything into one file and write the account's second copy.  Raises StoreError.

        What was committed is safe even if this is never called.
        """
        store, self._store = self._store, None
        if store is None:
            return
        try:
            store.checkpoint()
            self._copy_account(store)
        except (*faults.SQLITE_ERRORS, OSError) as exc:
            raise faults.store_error("close", self._files.database, exc) from exc
        finally:
            store.close()

    # --- how it is done -----------------------------------------------------------------------

    def _use(self, operation: str, act: Callable[[Store], T]) -> T:
        """Act on the open store; on one that turns out to be damaged, again after the repair."""
        for is_last in (False, True):
            try:
                return act(self._opened())
            except (*faults.SQLITE_ERRORS, OSError) as exc:
                self._give_up_on(exc)
                if is_last or self._suspicion is None:
                    raise faults.store_error(operation, self._files.database, exc) from exc
            except BaseException:
                self._abandon()
                raise
        raise AssertionError("the second attempt returns or raises")

    def _opened(self) -> Store:
        if self._store is not None and not os.path.lexists(self._files.database):
            self._forsake(self._store)
        if self._store is None or self._store.is_closed:
            opening = Opening(self._files, self.limits, self._connection_type, self.repairs)
            self._store = opening.open(self._suspicion)
            self._suspicion = None
            self._reserve.hold()
            self._copied = account.read_copy(self._files.account) or {}
            self._copied_at_s = self._monotonic_s()
            with suppress(OSError):  # The store itself is open; the copy has another hour.
                self._copy_account(self._store)
        return self._store

    def _forsake(self, store: Store) -> None:
        """Somebody removed the files while they were open: all that goes there from now on would be lost.

        What was in them is lost already, and the account is kept to say so.
        """
        self._abandon()
        self._files.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        account.write_copy(self._files.account, store.counters.values())

    def _give_up_on(self, error: Exception) -> None:
        """Nothing is known of the open files any more: let them go."""
        self._abandon()
        if faults.is_full(error):
            self._reserve.give_up()
        if faults.is_damage(error):
            self._suspicion = str(error)

    def _abandon(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _commit(self, store: Store, batch: Batch) -> None:
        if self._reserve.is_given_up:
            self._reserve.hold()
        if batch.number > store.counters["last_batch"]:
            for each in batch.purges:
                purge.apply(store, each, batch.delivered)
        log.lay_out(log_of(self._files.database), self.limits.log_bytes)
        apply = changes.apply_on_full_disk if self._reserve.is_given_up else changes.apply
        apply(store, batch, self._fold)
        if batch.purges:
            # Also where the tables were changed by an earlier try of the same batch.
            purge.erase(store, self._files, is_of_box=any(each.is_of_box for each in batch.purges))
        if self._monotonic_s() - self._copied_at_s >= COPY_EVERY_S:
            with suppress(OSError):  # The commit is done; the copy has another hour.
                self._copied_at_s = self._monotonic_s()
                self._copy_account(store)

    def _copy_account(self, store: Store) -> None:
        values = store.counters.values()
        if values != self._copied:
            account.write_copy(self._files.account, values)
            self._copied = values

    def _purge(self, act: Callable[[Store], int]) -> int:
        def purge(store: Store) -> int:
            n_dropped = act(store)
            self._files.forget_copies()
            return n_dropped

        return self._use("purge", purge)
