"""Brings what waits to flash, grouped into one commit at a time, off the event loop.

The law: a ticket is durable once everything that was submitted with it or before is committed and
synced.  While flash refuses, entries stay in memory (bounded), nothing becomes durable, and the same
batch is tried again until it is taken.  An entry may leave for the collector from memory all the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import trio

from jwpingd.errors import StoreError
from jwpingd.spool import Account, Batch, Checkpoint, Entry, Purge, SetAside, Spool, changed
from jwpingd.writer.flash import Flash, RunBlocking
from jwpingd.writer.in_doubt import InDoubt
from jwpingd.writer.in_hand import InHand
from jwpingd.writer.offer import claimable
from jwpingd.writer.purges import Purges
from jwpingd.writer.waiting import Fold, Submission, Waiting

DELETE_DELAY_S = 1.0  # groups the deletes of a drain; what a power cut may turn into duplicates
MAX_WAITING_DELETES = 64  # deliveries; with so many there is company enough
MAX_ENTRIES_BEHIND = 1000  # beyond this, players are read on only when flash has kept up
REOPEN_AFTER_S = 0.5  # flash takes over again within a second of its being possible
SLOW_FLASH_S = 5.0  # a call that takes longer is worth telling; a worn eMMC may need one or two
_IDS_WITHOUT_STORE = 1 << 40  # above any id of a store that cannot be read yet

T = TypeVar("T")

IsPurged = Callable[[Entry], bool]


class StoreStatus(NamedTuple):
    """`reason` is "" while flash takes what it is given; `n_in_memory` entries are not on flash yet.

    Before the store `is_open`, the account has only what came since the start.
    """

    reason: str
    n_in_memory: int
    is_open: bool = True


class Writer:
    """Owns the spool: only one of its coroutines uses it at a time, always through `run_blocking`.

    `max_batch_bytes` is what the spool takes in one transaction whatever its state; `memory_max` the
    number of entries that are kept while it takes nothing.  `on_change` is told when that begins and ends,
    `on_commit` after each commit, or try of one, `on_purge` which of the entries that were handed out must
    come back, `on_repair` in a sentence what had to be put right in the store, `on_open`, once, what the
    last run left of its plays: at the start, or when flash that refused then can be read.
    """

    def __init__(
        self,
        open_spool: Callable[[], Spool],
        run_blocking: RunBlocking,
        *,
        fold: Fold,
        memory_max: int,
        max_batch_bytes: int,
        on_change: Callable[[StoreStatus], None] = lambda _status: None,
        on_commit: Callable[[], None] = lambda: None,
        on_purge: Callable[[IsPurged], None] = lambda _is_purged: None,
        on_repair: Callable[[str], None] = lambda _what: None,
        on_open: Callable[[Sequence[Checkpoint]], None] = lambda _left_behind: None,
    ) -> None:
        self._flash = Flash(open_spool, run_blocking)
        self._memory_max = memory_max
        self._max_batch_bytes = max_batch_bytes
        self._on_change = on_change
        self._on_commit = on_commit
        self._on_purge = on_purge
        self._on_repair = on_repair
        self._on_open = on_open
        self._is_known = False  # whether ids and the account have been read from the store
        self._reason = ""
        self._is_told_of = False
        self._waiting = Waiting(fold)
        self._in_doubt = InDoubt()
        self._last_id = _IDS_WITHOUT_STORE + secrets.randbelow(1 << 40)
        self._in_hand = InHand()
        self._purges = Purges()
        self._tried_to = 0
        self._ticket = 0
        self._durable_to = 0
        self._after_commit = trio.lowlevel.ParkingLot()
        self._work = trio.Event()
        self.n_rounds = 0
        self._untimed_ticket: int | None = 0  # an earlier run may have left entries without a time
        self._untimed = trio.lowlevel.ParkingLot()

    # --- for the server -----------------------------------------------------------------------

    def submit(
        self,
        entries: Sequence[Entry],
        *,
        checkpoints: Sequence[Checkpoint] = (),
        ended: Sequence[str] = (),
    ) -> int:
        """Take pings and what is to survive of their plays, as part of one transaction; its ticket.

        The entries' ids are given here.  Never blocks and never fails: see the law above.
        """
        self._ticket += 1
        first_id = self._last_id + 1
        self._last_id += len(entries)
        puts = [changed(entry, id=first_id + idx) for idx, entry in enumerate(entries)]
        self._add(Submission(self._ticket, puts, checkpoints, ended))
        if any(entry.sa_ms is None for entry in entries):
            self._untimed_ticket = self._ticket
            self._untimed.unpark_all()
        if entries and self._in_hand.is_awaited:
            # The uplink is about to try these at once: the mark costs nothing in the same transaction.
            self._waiting.tried_to = self._last_id
        if entries and self._reason:
            self._keep_to_memory()
            self._in_hand.offer_more()
        self._work.set()
        return self._ticket

    def purge(self, revise: Callable[[str], str | None], *, reason: str, is_of_box: bool) -> int:
        """Let nothing leave any more of what `revise` forbids and what was submitted so far; a ticket.

        See `Purge`.  It holds at once; it is on flash, and nothing is left there, when the ticket is durable.
        """
        self._ticket += 1
        purge = Purge(revise, reason, self._in_hand.highest_id, is_of_box)
        self._waiting.revise(purge)
        if not self._flash.lock.locked():  # Else it is being written as it is.
            self._in_doubt.revise(purge)
        self._add(Submission(self._ticket, [], purges=(purge,)))
        self._purges.add(self._ticket, self._last_id, purge)
        self._in_hand.take_back(self._purges.cover)
        self._on_purge(self._purges.cover)
        self._work.set()
        return self._ticket

    def _add(self, submission: Submission) -> None:
        """Behind what waits.  While flash refuses, nobody knows for how long: memory has to stay small."""
        self._waiting.add(submission, merged_bytes=self._max_batch_bytes if self._reason else 0)

    def is_durable(self, ticket: int) -> bool:
        """Whether everything up to `ticket` is committed and synced."""
        return ticket <= self._durable_to

    async def wait_durable(self, ticket: int) -> None:
        """Return once `ticket` is durable; while flash refuses, that takes as long as it takes."""
        while not self.is_durable(ticket):
            await self._after_commit.park()

    async def wait_for_room(self) -> None:
        """Return when flash has kept up; at once while it refuses, because memory is bounded then."""
        while self.n_in_memory > MAX_ENTRIES_BEHIND and not self._reason:
            await self._after_commit.park()

    @property
    def n_in_memory(self) -> int:
        """Entries that are not on flash yet."""
        return self._waiting.n_entries + len(self._in_doubt.entries)

    # --- for the uplink -----------------------------------------------------------------------

    async def claim(self, limit: int, *, after_id: int = 0, to_id: int | None = None) -> list[Entry]:
        """The oldest entries that can be sent and are in nobody's hands; they are the caller's now.

        That they may have been tried is on flash before this returns.
        """
        self._in_hand.look()
        entries = await self._read_oldest(limit, after_id, to_id)
        if self._reason:
            entries += self._oldest_in_memory(limit - len(entries), after_id, to_id)
        # A purge that came while they were read is not on flash yet; one that comes now takes its part.
        entries = [entry for entry in entries if not self._purges.cover(entry)]
        with self._in_hand.making(entries):
            if entries:
                await self._mark_tried(entries[-1].id)
        return entries

    def delivered(self, entry_id: int) -> None:
        """The collector has it."""
        if self._waiting.forget(entry_id, "delivered"):
            self._in_hand.settle([entry_id])
        else:
            self._waiting.delivered.append(entry_id)
        self._work.set()

    def set_aside(self, entry_id: int, reason: str) -> None:
        """The collector will never take it."""
        self._waiting.set_aside.append((entry_id, reason))
        self._work.set()

    def release(self, entry_ids: Iterable[int]) -> None:
        """Nobody has these in hand any more; they wait as before."""
        self._in_hand.release(entry_ids)

    async def wait_for_more(self) -> None:
        """Return when there may be something to claim that the last claim did not see."""
        await self._in_hand.wait_for_more()

    def last_id(self) -> int:
        """The highest id given so far."""
        return self._last_id

    def n_waiting(self) -> int:
        """How many entries wait, on flash or in memory."""
        return self.account().waiting

    # --- for the daemon -----------------------------------------------------------------------

    async def run(self) -> None:
        """Commit what comes, until cancelled."""
        while True:
            self.n_rounds += 1
            await self._wait_for_work()
            await self._commit()
            if self._reason:
                await trio.sleep(REOPEN_AFTER_S)

    async def flush(self) -> None:
        """Return when all that was submitted or resolved before the call is on flash."""
        while self._has_work():
            await self._commit()
            if self._reason:
                await trio.sleep(REOPEN_AFTER_S)

    async def close(self) -> None:
        """Close the store in good order.  Raises StoreError; what is durable is safe all the same."""
        async with self._flash.lock:
            await self._flash.close()

    async def _write_what_waits(self) -> None:
        """Let the store know what became of entries meanwhile, unless it refuses."""
        if not self._reason and self._has_work():
            await self._commit()

    async def on_spool(self, work: Callable[[Spool], T]) -> T:
        """Do `work` with the store, between two commits.  Raises StoreError."""
        async with self._flash.lock:
            self._in_hand.offer.withdraw()
            result = await self._flash.use(work)
            self._know()
        return result

    def abandon(self) -> None:
        """Wait no longer for a call that is under way in the thread; only for a process that ends."""
        self._flash.abandon()

    async def wait_untimed(self) -> int:
        """Return when there may be entries without a time: the ticket of the last of them."""
        while self._untimed_ticket is None:
            await self._untimed.park()
        return self._untimed_ticket

    async def give_times(self, boot_id: str, offset_ms: int, *, is_guess: bool) -> None:
        """Fix the time of every entry of boot `boot_id` that has none, and let them leave.

        `offset_ms` is the wall clock minus boottime.  Raises StoreError.
        """
        known_to = self._durable_to
        self._waiting.give_times(boot_id, offset_ms, is_guess=is_guess)
        await self.on_spool(
            lambda spool: (spool.guess_times if is_guess else spool.fix_times)(boot_id, offset_ms)
        )
        if self._untimed_ticket is not None and self._untimed_ticket <= known_to:
            self._untimed_ticket = None
        self._in_hand.offer_more()

    async def waiting(self, limit: int, *, after_id: int = 0) -> list[Entry]:
        """The oldest entries, with a time or without, on flash or only in memory."""
        await self._write_what_waits()
        try:
            entries = await self.on_spool(lambda spool: spool.waiting(limit, after_id=after_id))
        except StoreError:
            entries = []
        in_memory = (*self._in_doubt.entries, *self._waiting.entries())
        known = {entry.id: entry for entry in (*entries, *in_memory) if entry.id > after_id}
        return [known[entry_id] for entry_id in sorted(known)[:limit]]

    async def dead_letters(self) -> list[SetAside]:
        """What was set aside, oldest first.  Raises StoreError."""
        await self._write_what_waits()
        return await self.on_spool(lambda spool: spool.set_aside_rows())

    async def drop(self, ids: Collection[int], reason: str) -> int:
        """Take entries out for good, waiting or set aside; how many were there.  Raises StoreError."""
        n_in_memory = sum(self._waiting.forget(entry_id, f"dropped.{reason}") for entry_id in ids)
        self._work.set()
        await self._write_what_waits()
        self._on_purge(lambda entry: entry.id in ids)
        return n_in_memory + await self.on_spool(lambda spool: spool.purge(reason, ids=ids))

    async def requeue(self, ids: Sequence[int]) -> int:
        """Let set-aside entries wait again, as the newest; how many do.  Raises StoreError."""
        first_id = self._last_id + 1
        self._last_id += len(ids)
        new_ids = range(first_id, first_id + len(ids))
        n_requeued = await self.on_spool(lambda spool: spool.requeue(ids, new_ids))
        self._in_hand.offer_more()
        return n_requeued

    async def expire(self, wall_ms: int) -> None:
        """Drop what is too old by a clock that is trusted.  Raises StoreError."""
        # Not those in hand now: while this waits for the store, others are claimed.
        await self.on_spool(lambda spool: spool.expire(wall_ms, except_ids=self._in_hand.ids()))

    def account(self) -> Account:
        """The account as of the last commit, with what is only in memory."""
        n_in_doubt = len(self._in_doubt.entries)
        in_doubt = {"accepted": n_in_doubt, "waiting": n_in_doubt}
        return self._flash.account.plus(self._waiting.counts()).plus(in_doubt).plus(self._in_doubt.counts)

    @property
    def n_dropped_full(self) -> int:
        """Of the account, what was dropped for want of room: little to ask for at every commit."""
        in_memory = (self._waiting.n_more_counts, self._in_doubt.counts)
        n_in_memory = sum(counts.get("dropped.full", 0) for counts in in_memory)
        return self._flash.account.dropped["full"] + n_in_memory

    def status(self) -> StoreStatus:
        """Whether flash takes what it is given."""
        busy_s = self.flash_busy_s
        slow = f"flash has been busy with one call for {busy_s:.0f} s" if busy_s >= SLOW_FLASH_S else ""
        return StoreStatus(self._reason or slow, self.n_in_memory, self._is_known)

    @property
    def flash_busy_s(self) -> float:
        """How long the call that is under way in the thread has taken so far; 0 without one."""
        return self._flash.busy_s

    def nudge(self) -> None:
        """Make `run` go round once, which `n_rounds` shows; for a watchdog."""
        self._work.set()

    # --- how a commit is made -----------------------------------------------------------------

    async def _commit(self) -> None:
        """Write the oldest that waits as one transaction.  What fails is kept unchanged for the next call."""
        async with self._flash.lock:
            if not self._in_doubt:
                self._in_doubt.begin(*self._waiting.take_batch(self._max_batch_bytes))
            mark = self._in_hand.offer.withdraw()
            try:
                batch, found = await self._flash.use(self._writing())
            except StoreError as exc:
                self._refuse(str(exc))
                self._after_commit.unpark_all()
                self._on_commit()
                return
            self._know()
            self._in_doubt.end()
            if self._is_told_of:
                self._is_told_of = False
                self._on_change(self.status())
        self._in_hand.offer.make(found, mark)
        self._finish(batch)

    def _writing(self) -> Callable[[Spool], tuple[Batch, Sequence[Entry] | None]]:
        """What the thread has to do: the batch, and to look what an uplink that waits can have then."""
        claimed, is_awaited = self._in_hand.ids(), self._in_hand.is_awaited

        def work(spool: Spool) -> tuple[Batch, Sequence[Entry] | None]:
            batch = self._write(spool, claimed)
            return batch, claimable(spool, claimed, self._purges.cover) if is_awaited else None

        return work

    def _write(self, spool: Spool, claimed: frozenset[int]) -> Batch:
        """In the thread.  What is `claimed` may be more than at the first try of the same batch."""
        batch = self._in_doubt.numbered(spool.last_batch)
        # What was tried from memory since is marked with the very commit that brings it to flash.  The next
        # batch says it again: this one may be there already, and is then skipped.
        tried_to = max(batch.tried_to, self._waiting.tried_to)
        spool.commit(changed(batch, tried_to=tried_to, claimed=claimed))
        return batch

    def _know(self) -> None:
        """The store answered: it can be used."""
        self._reason = ""
        for repair in self._flash.take_repairs():
            self._on_repair(repair)
        if not self._is_known and self._flash.last_id is not None:
            self._is_known = True
            is_in_use = bool(self.n_in_memory or self._in_hand)
            self._last_id = max(self._last_id, self._flash.last_id) if is_in_use else self._flash.last_id
            self._on_open(self._flash.left_behind)

    def _keep_to_memory(self) -> None:
        """The batch that flash refused must be tried as it is; what came later makes room for it."""
        n_most = max(self._memory_max - len(self._in_doubt.entries), 1)
        self._waiting.make_room(n_most, self._in_hand.ids(), self._in_hand.highest_id)

    def _refuse(self, reason: str) -> None:
        self._reason = reason
        if not self._is_told_of:
            self._is_told_of = True
            self._on_change(self.status())

    def _finish(self, batch: Batch) -> None:
        self._tried_to = max(self._tried_to, batch.tried_to)
        self._in_hand.settle([*batch.delivered, *(entry_id for entry_id, _ in batch.set_aside)])
        self._durable_to = self._in_doubt.ticket
        self._after_commit.unpark_all()
        self._on_commit()
        if self._purges.finish(self._durable_to) or batch.puts:
            self._in_hand.offer_more()

    async def _wait_for_work(self) -> None:
        """Until something is urgent, or deletes have waited long enough."""
        while not self._has_work():
            await self._wait_for_a_sign()
        deadline = trio.current_time() + DELETE_DELAY_S
        while not (self._is_urgent() or self._waiting.n_resolved >= MAX_WAITING_DELETES):
            with trio.move_on_at(deadline) as scope:
                await self._wait_for_a_sign()
            if scope.cancelled_caught:
                return

    async def _wait_for_a_sign(self) -> None:
        self.n_rounds += 1
        self._work = trio.Event()
        await self._work.wait()

    def _has_work(self) -> bool:
        return self._is_urgent() or self._waiting.n_resolved > 0

    def _is_urgent(self) -> bool:
        return bool(self._in_doubt or self._reason or self._waiting.is_urgent)

    # --- claiming -------------------------------------------------------------------------------

    async def _read_oldest(self, limit: int, after_id: int, to_id: int | None) -> list[Entry]:
        offered = self._in_hand.offer.take(limit, after_id, to_id)
        if offered is not None:
            return offered
        claimed = self._in_hand.ids()
        try:
            return await self._read_spool(
                lambda spool: spool.oldest(
                    limit,
                    except_ids=claimed,
                    after_id=after_id,
                    to_id=to_id,
                    is_excepted=self._purges.cover,
                )
            )
        except StoreError as exc:
            self._refuse(str(exc))
            self._work.set()
            return []

    async def _read_spool(self, work: Callable[[Spool], T]) -> T:
        """As `on_spool`; that it can be read does not mean that it can be written."""
        async with self._flash.lock:
            reason = self._reason
            result = await self._flash.use(work)
            self._know()
            self._reason = reason
        return result

    def _oldest_in_memory(self, limit: int, after_id: int, to_id: int | None) -> list[Entry]:
        """While flash refuses, what is only in memory may leave too."""
        in_memory = (*self._in_doubt.entries, *self._waiting.entries())
        fits = (
            entry
            for entry in in_memory
            if entry.sa_ms is not None
            and entry.id not in self._in_hand
            and not self._purges.cover(entry)
            and after_id < entry.id <= (self._last_id if to_id is None else to_id)
        )
        return list(islice(fits, max(limit, 0)))

    async def _mark_tried(self, entry_id: int) -> None:
        if entry_id <= self._tried_to:
            return
        # While flash refuses it goes with what can be written next.
        self._waiting.tried_to = max(self._waiting.tried_to, entry_id)
        self._work.set()
        while self._tried_to < entry_id and not self._reason:
            await self._after_commit.park()
