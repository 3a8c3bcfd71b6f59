"""Opening never fails for damage: what cannot be used is moved aside and what can be read goes on."""

from __future__ import annotations

import os
import sqlite3

from jwpingd.plural import counted
from jwpingd.spool import account, damage, faults, files, room, salvage, schema
from jwpingd.spool.carrying import Source
from jwpingd.spool.damage import Damaged, Missing, Newer, Sound, Verdict
from jwpingd.spool.files import Files
from jwpingd.spool.limits import Limits
from jwpingd.spool.store import Store


class Opening:
    """One opening.  `repairs` says in whole sentences what had to be done."""

    def __init__(
        self, files: Files, limits: Limits, connection_type: type[sqlite3.Connection], repairs: list[str]
    ) -> None:
        self.files = files
        self.limits = limits
        self.connection_type = connection_type
        self.repairs = repairs

    def open(self, suspicion: str | None) -> Store:
        """The store, whatever its files look like; a `suspicion` means that they are damaged.

        Raises OSError and sqlite3.Error for what is no damage: no right, no space, a bad medium.
        """
        self.files.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.files.clear_places()
        self._finish_earlier()
        verdict = self._judge()
        if suspicion and isinstance(verdict, Sound):
            verdict.connection.close()
            verdict = Damaged(suspicion)
        if isinstance(verdict, Newer):
            verdict = self._give_way(verdict)
        sound = verdict if isinstance(verdict, Sound) and not self._is_anything_returned() else None
        if sound is None:
            sound = self._rebuild(verdict)
        try:
            store = Store(sound.connection, sound.counters, self.limits, self.files.copies_bytes())
            self._settle(store)
        except BaseException:
            sound.connection.close()
            raise
        return store

    def _judge(self) -> Verdict:
        return damage.judge(self.files.database, self.limits, self.connection_type)

    def _finish_earlier(self) -> None:
        """What a power cut left of an earlier rebuild."""
        files.finish_move(self.files.database, self.files.broken)
        files.finish_move(self.files.own_version, self.files.returned)
        if os.path.lexists(self.files.database):
            # Putting the new database into place is the last step: the sources are done with.
            self._retire_sources()

    def _is_anything_returned(self) -> bool:
        return any(os.path.lexists(path) for path in (self.files.own_version, self.files.returned))

    def _give_way(self, newer: Newer) -> Verdict:
        """Set a newer program's store aside, untouched, if it leaves room for ours."""
        if files.size_bytes(self.files.database) > self.limits.max_newer_bytes:
            return Damaged(f"it is of version {newer.version} and too large to keep beside another")
        aside = self.files.of_version(newer.version)
        files.move(self.files.database, aside)
        self.files.account_of_version(newer.version).unlink(missing_ok=True)
        if os.path.lexists(self.files.account):
            os.replace(self.files.account, self.files.account_of_version(newer.version))
        self._bound_copies()
        self.repairs.append(f"the store is of version {newer.version}: kept as {aside} for its program")
        return Missing()

    def _rebuild(self, verdict: Verdict) -> Sound:
        if isinstance(verdict, Sound):
            verdict.connection.close()
        if isinstance(verdict, Missing):
            files.remove(self.files.database)
        else:
            if not os.path.lexists(self.files.database):
                self.files.database.touch()  # Its log alone is moved as a database's.
            files.move(self.files.database, self.files.broken)
        if os.path.lexists(self.files.own_version):
            files.move(self.files.own_version, self.files.returned)
        salvaged = salvage.rebuild(self.files, self._sources(), self.limits, self.connection_type)
        self._report(verdict, salvaged)
        self._retire_sources()
        rebuilt = self._judge()
        if not isinstance(rebuilt, Sound):
            raise sqlite3.OperationalError(f"a new store cannot be read back: {rebuilt}")
        return rebuilt

    def _sources(self) -> list[Source]:
        own = Source(self.files.broken, self.files.account)
        if not os.path.lexists(self.files.returned):
            return [own]
        return [Source(self.files.returned, self.files.account_of_version(schema.VERSION)), own]

    def _report(self, verdict: Verdict, salvaged: salvage.Salvaged) -> None:
        if isinstance(verdict, Missing) and salvaged == salvage.Salvaged(0, 0):
            return  # The first start.
        if isinstance(verdict, Damaged):
            what = f"the store is damaged ({verdict.reason})"
        elif os.path.lexists(self.files.returned):
            what = "the store that an older version had set aside is taken back"
        else:
            what = "the store is gone"
        carried = f"{counted(salvaged.n_rows, 'ping')} carried over"
        self.repairs.append(f"{what}: {carried}, {salvaged.n_lost} lost")

    def _retire_sources(self) -> None:
        """Keep one damaged copy, if it is small; what was taken back lives on in the database."""
        if os.path.lexists(self.files.returned):
            files.remove(self.files.returned)
            self.files.account_of_version(schema.VERSION).unlink(missing_ok=True)
            files.remove(self.files.broken)
        elif os.path.lexists(self.files.broken):
            files.move(self.files.broken, self.files.damaged)
            self._bound_copies()

    def _bound_copies(self) -> None:
        is_large = files.size_bytes(self.files.damaged) > self.limits.max_damaged_bytes
        if is_large or self.files.copies_bytes() > self.limits.max_newer_bytes:
            files.remove(self.files.damaged)

    def _settle(self, store: Store) -> None:
        """Bring the log in, check the account against its second copy, and keep within the limits."""
        _bring_log_in(store)
        copy = account.read_copy(self.files.account) or {}
        if copy.get("last_batch", 0) > store.counters["last_batch"]:
            self._catch_up(store, copy)
        if schema.pragma(store.connection, "page_count") > store.n_most_pages:
            _shrink(store)
        schema.pragma(store.connection, f"max_page_count = {store.n_most_pages}")

    def _catch_up(self, store: Store, copy: dict[str, int]) -> None:
        """The store fell back to an earlier state (a lost or torn log): its account does not."""
        with store.transaction():
            for name, n in copy.items():
                store.counters.put(name, max(n, store.counters[name]))
            n_lost = salvage.settle(store.counters, *count_rows(store))
        self.repairs.append(f"the store has lost its latest changes: {counted(n_lost, 'ping')} lost")


def _bring_log_in(store: Store) -> None:
    """What is read from now on is on flash, even if the last sync of the log had failed."""
    try:
        store.checkpoint()
    except sqlite3.Error as exc:
        # On a full disk the database cannot grow; it can be read, and deletes go into the log.
        if not faults.is_full(exc):
            raise


def count_rows(store: Store) -> tuple[int, int, int]:
    """Waiting, waiting without a time, set aside.  Raises sqlite3.Error."""
    query = "SELECT count(*), count(*) - count(sa_ms) FROM ping"
    n_waiting, n_held = store.connection.execute(query).fetchone()
    (n_aside,) = store.connection.execute("SELECT count(*) FROM aside").fetchone()
    return n_waiting, n_held, n_aside


def _shrink(store: Store) -> None:
    """The limit is lower than it was, or copies take some of it."""
    with store.transaction():
        room.drop_oldest(store, store.n_most_pages // 8, ())
    store.connection.execute("VACUUM")
    store.checkpoint()
