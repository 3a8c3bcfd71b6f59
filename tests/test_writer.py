"""The writer: tickets, groups, and flash that refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio
import trio.lowlevel
import trio.testing

from jwpingd import ping
from jwpingd.spool import Batch, Checkpoint, Limits
from jwpingd.writer import Writer
from jwpingd.writer.writer import DELETE_DELAY_S
from tests.inline import MoodySpool, entry, moody_spool, run, writer_on
from tests.spool_values import is_balanced

T = TypeVar("T")


def test_a_ticket_is_durable_after_its_commit(tmp_path: Path) -> None:
    """A ticket is not durable when it is given, and is once its entries are in the store."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool)) as writer:
            ticket = writer.submit([entry("e"), entry("s")])
            assert not writer.is_durable(ticket)
            await writer.wait_durable(ticket)
            assert [kept.kind for kept in spool.waiting(10)] == ["e", "s"]

    run(main)


def test_what_waits_is_one_commit(tmp_path: Path) -> None:
    """Everything that was submitted while a commit ran goes with the next one."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool)) as writer:
            await writer.wait_durable(writer.submit([entry("e")]))
            before = spool.last_batch
            for _ in range(50):
                ticket = writer.submit([entry()])
            await writer.wait_durable(ticket)
            assert spool.last_batch == before + 1

    run(main)


def test_a_batch_stays_below_its_size(tmp_path: Path) -> None:
    """What does not fit into one transaction goes with the next, in order, and nothing is dropped."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool, memory_max=100_000)) as writer:
            long = entry("e")._replace(target="/v1/jwplayer6/ping.gif?t=" + 1000 * "x")
            n_entries = 3 * spool.limits.max_batch_bytes // len(long.target)
            tickets = [writer.submit([long]) for _ in range(n_entries)]
            await writer.wait_durable(tickets[-1])
            assert spool.last_batch >= 3
            assert writer.account().dropped["full"] == 0
            assert writer.account().accepted == n_entries

    run(main)


def test_refusing_flash_withholds_durability_and_loses_nothing(tmp_path: Path) -> None:
    """While flash refuses nothing becomes durable; once it takes again, everything does, once."""

    async def main() -> None:
        spool, told = moody_spool(tmp_path), list[str]()
        async with running(writer_on(spool, on_change=lambda store: told.append(store.reason))) as writer:
            await writer.wait_durable(writer.submit([entry("e")]))
            spool.refuses = True
            tickets = [writer.submit([entry("s")]), writer.submit([entry("t")])]
            await trio.sleep(60)
            assert not any(map(writer.is_durable, tickets))
            assert writer.status().reason == "flash refuses"
            assert is_balanced(writer.account()) and writer.account().waiting == 3
            spool.refuses = False
            with trio.fail_after(1):
                await writer.wait_durable(tickets[-1])
            assert writer.status().reason == ""
            assert told == ["flash refuses", ""]  # Once, however often it was tried.
            assert [kept.kind for kept in spool.waiting(10)] == ["e", "s", "t"]

    run(main)


def test_a_commit_whose_answer_was_lost_counts_once(tmp_path: Path) -> None:
    """A batch that reached flash although the commit failed is not applied a second time."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool)) as writer:
            spool.loses_answer = True
            await writer.wait_durable(writer.submit([entry("e"), entry("s")]))
            assert writer.account().accepted == 2 and is_balanced(writer.account())
            assert len(spool.waiting(10)) == 2

    run(main)


def test_what_is_claimed_while_flash_refuses_is_not_dropped_for_room(tmp_path: Path) -> None:
    """A full store makes room at the second try of a batch: what the uplink was handed before it stays."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        large = [entry("e")._replace(target="/" + 5000 * "x") for _ in range(10)]
        async with running(writer_on(spool, memory_max=100)) as writer:
            while not writer.account().dropped["full"]:
                await writer.wait_durable(writer.submit(large))
            spool.refuses = True
            tickets = [writer.submit(large), writer.submit(large)]
            await trio.sleep(5)
            (held,) = await writer.claim(1)
            spool.refuses = False
            await writer.wait_durable(tickets[-1])
            assert held in spool.waiting(1)

    run(main)


def test_what_memory_dropped_is_told_while_flash_refuses(tmp_path: Path) -> None:
    """What memory dropped is told while flash refuses, and counts once when it takes again."""

    async def main() -> None:
        spool, told = moody_spool(tmp_path), list[int]()
        writer: Writer = writer_on(spool, memory_max=5, on_commit=lambda: told.append(writer.n_dropped_full))
        async with running(writer):
            await writer.wait_durable(writer.submit([entry("e")]))
            spool.refuses = True
            for number in range(20):
                await trio.sleep(0.1)
                writer.submit([entry("e", play=f"other{number:07d}")])
            await trio.sleep(1)
            assert told[0] == 0 and told[-1] == 15 == writer.account().dropped["full"]
            spool.refuses = False
            await writer.wait_durable(writer.submit([]))
            assert told[-1] == writer.n_dropped_full == spool.account().dropped["full"]

    run(main)


def test_memory_is_bounded_and_watch_time_kept(tmp_path: Path) -> None:
    """Beyond memory_max neighbouring t are folded first, then the oldest are dropped and counted."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool, memory_max=5)) as writer:
            await writer.wait_durable(writer.submit([entry("e")]))
            spool.refuses = True
            await trio.lowlevel.checkpoint()
            writer.submit([entry("s")])
            await trio.sleep(1)
            for _ in range(10):
                writer.submit([entry("t", watched_s=20)])
            assert writer.status().n_in_memory <= 5  # with the one in the batch that is in doubt
            assert writer.account().folded == 6
            assert is_balanced(writer.account())
            for number in range(20):
                writer.submit([entry("e", play=f"other{number:07d}")])
            assert writer.status().n_in_memory <= 5
            assert writer.account().dropped["full"] > 0
            assert is_balanced(writer.account())

    run(main)


def test_entries_leave_from_memory_while_flash_refuses(tmp_path: Path) -> None:
    """A ping that flash never took can be claimed and delivered, and the account says so."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool)) as writer:
            await writer.wait_durable(writer.submit([entry("e")]))
            spool.refuses = True
            writer.submit([entry("s")])
            await trio.sleep(1)
            writer.submit([entry("t")])
            claimed = await writer.claim(10)
            assert [one.kind for one in claimed] == ["e", "s", "t"]
            assert await writer.claim(10) == []
            for one in claimed:
                writer.delivered(one.id)
            assert writer.account().delivered == 3 and is_balanced(writer.account())
            spool.refuses = False
            await trio.sleep(5)
            assert spool.waiting(10) == []
            assert writer.account().delivered == 3 and is_balanced(writer.account())

    run(main)


class WatchedSpool(MoodySpool):
    """Remembers of each commit the highest id it put in and up to where entries then counted as tried."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, Limits(1 << 20), fold=ping.fold)
        self.watched: list[tuple[int, int]] = []

    def commit(self, batch: Batch) -> None:
        super().commit(batch)
        if batch.puts:
            self.watched.append((batch.puts[-1].id, self._opened().counters["tried_to"]))


def test_what_was_tried_from_memory_reaches_flash_with_its_mark(tmp_path: Path) -> None:
    """A power cut between two commits leaves no tried ping on flash that seems untried."""

    async def main() -> None:
        spool = WatchedSpool(tmp_path)
        async with running(writer_on(spool)) as writer:
            await writer.wait_durable(writer.submit([entry("e")]))
            spool.refuses = True
            ticket = writer.submit([entry("t")])
            await trio.sleep(1)  # It is in the batch that is in doubt.
            tried_id = (await writer.claim(10))[-1].id
            spool.refuses = False
            await writer.wait_durable(ticket)
            assert spool.watched[-1] == (tried_id, tried_id)

    run(main)


def test_a_claim_is_exclusive_until_released(tmp_path: Path) -> None:
    """An entry is in one pair of hands at a time, and comes back when it is released."""

    async def main() -> None:
        async with running(writer_on(moody_spool(tmp_path))) as writer:
            await writer.wait_durable(writer.submit([entry("e"), entry("s"), entry("t")]))
            first = await writer.claim(2)
            assert [one.kind for one in first] == ["e", "s"]
            assert [one.kind for one in await writer.claim(2)] == ["t"]
            writer.release([first[0].id])
            assert [one.kind for one in await writer.claim(2)] == ["e"]

    run(main)


def test_a_claim_that_is_cancelled_takes_nothing(tmp_path: Path) -> None:
    """Whoever stops waiting for a claim, at any moment, leaves every entry for the next."""

    async def main() -> None:
        async with running(writer_on(moody_spool(tmp_path))) as writer:
            await writer.wait_durable(writer.submit([entry("e"), entry("s")]))
            for n_steps in range(12):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(claim_and_release, writer)
                    for _ in range(n_steps):
                        await trio.lowlevel.checkpoint()
                    nursery.cancel_scope.cancel()
                await trio.testing.wait_all_tasks_blocked()
                writer.submit([entry("t")])
            await trio.sleep(1)
            assert len(await writer.claim(100)) == 14

    run(main)


async def claim_and_release(writer: Writer) -> None:
    """As the uplink: what it has in hand when it is cancelled goes back."""
    claimed = await writer.claim(10)
    try:
        await trio.sleep_forever()
    finally:
        writer.release(one.id for one in claimed)


def test_a_commit_that_hangs_can_be_abandoned(tmp_path: Path) -> None:
    """A call in the thread is waited for, whoever cancels, until the writer gives the store up."""

    async def hang(_work: Callable[[], T], /) -> T:
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    async def main() -> None:
        writer = writer_on(moody_spool(tmp_path))
        writer._flash._run_blocking = hang
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run)
            writer.submit([entry("e")])
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.sleep(60)
                writer.abandon()

    run(main)


def test_that_it_may_have_been_tried_is_on_flash_before_the_claim_returns(tmp_path: Path) -> None:
    """The store's mark covers every entry that was ever handed out."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool)) as writer:
            await writer.wait_durable(writer.submit([entry("e"), entry("s")]))
            before = spool.last_batch
            claimed = await writer.claim(10)
            assert spool.last_batch == before + 1
            assert spool._opened().counters["tried_to"] == claimed[-1].id

    run(main)


def test_deletes_wait_for_company(tmp_path: Path) -> None:
    """Deliveries within a second are deleted in one commit, and an idle writer writes nothing."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool)) as writer:
            await writer.wait_durable(writer.submit([entry("e"), entry("s"), entry("t")]))
            claimed = await writer.claim(10)
            before = spool.last_batch
            for one in claimed:
                writer.delivered(one.id)
                await trio.sleep(0.1)
            assert spool.last_batch == before
            await trio.sleep(DELETE_DELAY_S)
            assert spool.last_batch == before + 1
            assert spool.waiting(10) == []
            await trio.sleep(3600)
            assert spool.last_batch == before + 1

    run(main)


def test_waiting_for_more_ends_with_a_commit(tmp_path: Path) -> None:
    """Whoever found nothing is told when there is something to claim."""

    async def main() -> None:
        async with running(writer_on(moody_spool(tmp_path))) as writer:
            assert await writer.claim(10) == []
            async with trio.open_nursery() as nursery:
                nursery.start_soon(writer.wait_for_more)
                await trio.testing.wait_all_tasks_blocked()
                writer.submit([entry("e")])
            assert len(await writer.claim(10)) == 1

    run(main)


def test_entries_without_a_time_wait_for_it(tmp_path: Path) -> None:
    """An entry whose time is unknown cannot be claimed; once given, its time never changes."""

    async def main() -> None:
        async with running(writer_on(moody_spool(tmp_path))) as writer:
            untimed = entry("e", sa_ms=None)
            await writer.wait_durable(writer.submit([untimed]))
            assert await writer.claim(10) == []
            await writer.wait_untimed()
            await writer.give_times("boot", 1_700_000_000_000, is_guess=False)
            claimed = await writer.claim(10)
            assert [one.sa_ms for one in claimed] == [1_700_000_000_000 + untimed.boot_ms]
            with trio.move_on_after(10) as scope:
                await writer.wait_untimed()
            assert scope.cancelled_caught

    run(main)


def test_a_play_that_ends_leaves_no_checkpoint(tmp_path: Path) -> None:
    """Of a play that began and ended in one group, nothing is left to recover."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        async with running(writer_on(spool)) as writer:
            writer.submit([entry("s")], checkpoints=[Checkpoint("play00000001", entry("gab"), "")])
            writer.submit([], checkpoints=[Checkpoint("play00000002", entry("gab", "play00000002"), "")])
            await writer.wait_durable(writer.submit([entry("gab")], ended=["play00000001"]))
            assert [kept.play for kept in spool.checkpoints()] == ["play00000002"]

    run(main)


def test_a_store_that_cannot_be_opened_is_taken_up_later(tmp_path: Path) -> None:
    """Without a store pings are kept in memory and delivered; they reach flash when it comes."""
    blocked = tmp_path / "file-in-the-way"
    blocked.write_text("")

    async def main() -> None:
        spool: MoodySpool = moody_spool(blocked / "state")
        async with running(writer_on(spool)) as writer:
            ticket = writer.submit([entry("e")])
            await trio.sleep(10)
            assert not writer.is_durable(ticket) and writer.status().reason and not writer.status().is_open
            blocked.unlink()
            with trio.fail_after(1.1):
                await writer.wait_durable(ticket)
            assert writer.status().is_open
            assert writer.account().accepted == 1 and is_balanced(writer.account())

    run(main)


def test_a_claim_behind_the_commit_that_succeeds_leaves_no_refusal(tmp_path: Path) -> None:
    """Flash is taken up again for good, though the uplink asked while it was still refused."""

    async def main() -> None:
        spool, gate = moody_spool(tmp_path), trio.Event()
        gate.set()

        async def run_gated(work: Callable[[], Any], /) -> Any:
            await gate.wait()
            return work()

        writer = Writer(
            lambda: spool,
            run_gated,
            fold=ping.fold,
            memory_max=10,
            max_batch_bytes=spool.limits.max_batch_bytes,
        )
        async with running(writer), trio.open_nursery() as nursery:
            spool.refuses = True
            writer.submit([entry("e")])
            await trio.sleep(1)
            assert writer.status().reason
            spool.refuses, gate = False, trio.Event()
            await trio.sleep(1)  # The commit is under way, and waits.
            nursery.start_soon(writer.claim, 1)
            await trio.testing.wait_all_tasks_blocked()
            gate.set()
            await trio.sleep(1)
            assert writer.status().reason == ""

    run(main)


def test_what_had_to_be_repaired_is_told_once(tmp_path: Path) -> None:
    """Damage that turns up while the daemon runs is told as that at its start is."""
    told: list[str] = []

    async def main() -> None:
        spool = moody_spool(tmp_path)
        writer = writer_on(spool, on_repair=told.append)
        async with running(writer):
            await writer.wait_durable(writer.submit([entry("e")]))
            await writer.on_spool(lambda spool: spool.close())
            (tmp_path / "spool.db").write_bytes(b"rubbish")
            await writer.wait_durable(writer.submit([entry("e")]))
            await writer.wait_durable(writer.submit([entry("e")]))
            assert is_balanced(writer.account()) and writer.account().dropped["damage"] == 1
        assert len(told) == 1 and "not a database" in told[0]

    run(main)


@asynccontextmanager
async def running(writer: Writer) -> AsyncIterator[Writer]:
    """The writer with its task, for the length of a block."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run)
        await trio.testing.wait_all_tasks_blocked()
        yield writer
        nursery.cancel_scope.cancel()
    await writer.close()
