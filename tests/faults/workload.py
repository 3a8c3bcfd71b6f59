"""What a daemon does to its store in some busy minutes, in virtual time, with notes of what it promised.

`python -m tests.faults.workload DIRECTORY SCENARIO SEED` runs the real dialogue, plays, writer and spool
on a directory, with a simulated uplink; run it below `recorder` to have it on record.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import random
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import trio
from trio.testing import MockClock

from jwpingd import ping
from jwpingd.device import Device
from jwpingd.errors import StoreError
from jwpingd.ping import Facts
from jwpingd.server import Plays, Rules
from jwpingd.server.dialogue import Dialogue
from jwpingd.spool import Checkpoint, Entry, Spool
from jwpingd.spool.store import Store
from jwpingd.writer import Writer
from tests.faults.recorder import Recorded
from tests.inline import VirtualClock, run_inline
from tests.spool_values import SMALL, is_balanced, view

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`n_rounds` of about a dozen lines each.  `n_resting` pings wait before anything is recorded, as large
    as `resting_bytes`.  `zeroed_pages` of their database are lost, `is_cut`: the power went once before.
    `has_errors`: writes and syncs fail now and then.
    """

    n_rounds: int
    n_resting: int = 0
    resting_bytes: int = 300
    zeroed_pages: tuple[int, ...] = ()
    is_cut: bool = False
    has_errors: bool = False


SCENARIOS = {
    "the first start": Scenario(14),
    "a box in use": Scenario(40, n_resting=60),
    "a full store": Scenario(12, n_resting=1450, resting_bytes=400),
    "a store cut before": Scenario(6, n_resting=60, is_cut=True),
    "a damaged store": Scenario(6, n_resting=120, zeroed_pages=(9, 40, 41, 77)),
    "a medium that fails": Scenario(60, n_resting=60, has_errors=True),
}

recorded = Recorded()


class CountingConnection(sqlite3.Connection):
    """Counts the transactions that it commits."""

    n_commits = 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        CountingConnection.n_commits += sql == "COMMIT"
        return super().execute(sql, parameters)


class NotingSpool(Spool):
    """A spool that notes what it is about to do, and how it stands when that is done."""

    def _use(self, operation: str, act: Callable[[Store], T]) -> T:
        if operation == "read":
            return super()._use(operation, act)
        recorded.note(begun=operation)
        n_before = CountingConnection.n_commits
        result = super()._use(operation, act)
        note_state(self, CountingConnection.n_commits - n_before)
        return result


def note_state(spool: Spool, n_commits: int) -> None:
    """Everything that can be seen of the store, now that `n_commits` transactions are done."""
    seen = view(spool)
    account = spool.account()
    recorded.note(
        done=[row.id for row in seen.rows],
        digest=digest(spool),
        n_commits=n_commits,
        last_id=spool.next_id() - 1,
        n_gone=account.folded + sum(account.dropped.values()),
        n_damaged=account.dropped["damage"],
        n_repairs=len(spool.repairs),
        is_balanced=is_balanced(account),
    )


def digest(spool: Spool) -> str:
    """The same for stores that look the same, row by row and count by count."""
    return hashlib.sha1(repr(view(spool)).encode("utf-8", "surrogateescape")).hexdigest()


class NotingWriter(Writer):
    """Notes which entries have which ticket."""

    def submit(
        self,
        entries: Sequence[Entry],
        *,
        checkpoints: Sequence[Checkpoint] = (),
        ended: Sequence[str] = (),
    ) -> int:
        ticket = super().submit(entries, checkpoints=checkpoints, ended=ended)
        first_id = self.last_id() - len(entries) + 1
        recorded.note(ticket=ticket, ids=list(range(first_id, first_id + len(entries))))
        return ticket


class Box:
    """The rooms of a daemon between socket and uplink."""

    def __init__(self, directory: Path, fate: random.Random, *, has_errors: bool) -> None:
        self.fate = fate
        self.has_errors = has_errors
        self.clock = VirtualClock(knows_wall=False)
        self.writer = NotingWriter(
            lambda: NotingSpool.open(directory, SMALL, fold=ping.fold, connection_type=CountingConnection),
            run_inline,
            fold=ping.fold,
            memory_max=50,
            max_batch_bytes=SMALL.max_batch_bytes,
        )
        self._ids = (f"{fate.randrange(10**12):012d}" for _ in itertools.count())
        self.plays = Plays(self.writer, self.clock, self._ids.__next__, resume_s=20)
        self.n_acks = 0
        self._tickets: dict[int, int] = {}
        self.dialogues = [self._dialogue(0), self._dialogue(1)]
        self.positions_s = [0.0, 0.0]

    def _dialogue(self, number: int) -> Dialogue:
        return Dialogue(
            0,
            self.plays,
            self.writer,
            Rules(max_line_bytes=16384, max_players=8, checkpoint_s=5, token_claim="sub"),
            describe=lambda claims: Facts("a17e8PTFFffxLgpVuA4vVw", "com.example.tv", "1", Device("test")),
            reply=lambda line: self._note_reply(line, number),
            acknowledge=lambda line: self._note_reply(line, number),
            complain=lambda text: None,
        )

    def _note_reply(self, line: bytes, number: int) -> None:
        """An ack speaks for its own connection: for all up to its line, which may be the one being taken."""
        reply = json.loads(line)
        if "ack" in reply:
            recorded.note(ack=self._tickets.get(reply["ack"], self.dialogues[number].ticket))

    async def round(self) -> None:
        """A dozen lines of two players, then whatever else happens on a box."""
        for _ in range(self.fate.randrange(4, 12)):
            self._say_something(self.fate.randrange(2))
            if self.fate.random() < 0.4:
                await trio.sleep(self.fate.choice([0.0, 0.3, 1.5, 4.0]))
                for dialogue in self.dialogues:
                    dialogue.wake(self.clock.now())
                    dialogue.acks.send_due()
        await self._something_else()

    def _say_something(self, number: int) -> None:
        fate, dialogue = self.fate, self.dialogues[number]
        if not list(dialogue.players) or fate.random() < 0.08:
            self.positions_s[number] = 0.0
            key = fate.choice([{}, {}, {"play": f"key-{number}"}])
            title = "x" * fate.choice([5, 40, 400, 900])
            line: dict[str, Any] = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": title, **key}
        elif fate.random() < 0.1:
            line = {"event": fate.choice(["adImpression", "seeked", "complete", "remove"])}
        else:
            self.positions_s[number] += fate.choice([1.0, 1.7, 2.0])
            line = {"event": "time", "position": self.positions_s[number], "duration": 60}
        if fate.random() < 0.4:
            self.n_acks += 1
            line["id"] = self.n_acks
        dialogue.take(json.dumps(line).encode() + b"\n", self.clock.now())
        while dialogue.is_waiting:
            dialogue.go_on()
        if "id" in line:
            self._tickets[self.n_acks] = dialogue.ticket

    async def _something_else(self) -> None:
        acts = [self._deliver, self._deliver, self._deliver, self._set_time, self._guess_time, self._leave,
                self._expire, self._purge, self._requeue, self._check, self._reopen]  # fmt: skip
        if self.has_errors:
            acts += [self._fail] * 5
        try:
            await self.fate.choice(acts)()
        except StoreError:
            await trio.sleep(1)

    async def _deliver(self) -> None:
        for entry in await self.writer.claim(self.fate.randrange(1, 12)):
            what = self.fate.random()
            if what < 0.7:
                recorded.note(resolved=entry.id)
                self.writer.delivered(entry.id)
            elif what < 0.8:
                recorded.note(resolved=entry.id)
                self.writer.set_aside(entry.id, "the collector answered 404")
            else:
                self.writer.release([entry.id])

    async def _set_time(self) -> None:
        self.clock.knows_wall = True
        await self._give_times(is_guess=False)

    async def _guess_time(self) -> None:
        await self._give_times(is_guess=True)

    async def _give_times(self, *, is_guess: bool) -> None:
        offset_ms = 1_795_000_000_000 - 1_000_000
        await self.writer.give_times(self.clock.now().boot_id, offset_ms, is_guess=is_guess)

    async def _leave(self) -> None:
        number = self.fate.randrange(2)
        self.dialogues[number].leave(self.clock.now())
        self.dialogues[number] = self._dialogue(number)

    async def _expire(self) -> None:
        await self.writer.expire(1_795_000_000_000 + 30 * 86_400_000 + 20_000)

    async def _purge(self) -> None:
        def purge(spool: Spool) -> None:
            rows = spool.waiting(20)
            spool.purge("opt_out", plays={row.play for row in rows[:1]})

        await self.writer.on_spool(purge)

    async def _requeue(self) -> None:
        def requeue(spool: Spool) -> None:
            letters = [letter.entry.id for letter in spool.set_aside_rows()][:2]
            first_id = spool.next_id() + 1000
            spool.requeue(letters, list(range(first_id, first_id + len(letters))))

        await self.writer.on_spool(requeue)

    async def _check(self) -> None:
        await self.writer.on_spool(lambda spool: spool.thorough_check())

    async def _reopen(self) -> None:
        await self.writer.on_spool(lambda spool: spool.close())

    async def _fail(self) -> None:
        kind, error = self.fate.choice([("w", errno.EIO), ("w", errno.ENOSPC), ("s", errno.EIO)])
        recorded.note(error=errno.errorcode[error])
        recorded.fail(kind, self.fate.randrange(1, 30), error)


async def use(directory: Path, scenario: Scenario, seed: int) -> None:
    """All rounds of a scenario."""
    box = Box(directory, random.Random(seed), has_errors=scenario.has_errors)
    checkpoints = await box.writer.on_spool(lambda spool: spool.checkpoints())
    box.plays.recover(checkpoints, box.clock.now())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.writer.run)
        nursery.start_soon(box.plays.run)
        for _ in range(scenario.n_rounds):
            await box.round()
        recorded.fail("w", 0, 0)
        await box.writer.flush()
        nursery.cancel_scope.cancel()


def main(directory: str, name: str, seed: str) -> None:
    """As the command line says."""
    scenario, number = SCENARIOS[name], int(seed)
    trio.run(use, Path(directory), scenario, number, clock=MockClock(autojump_threshold=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
