"""The offer: an uplink that waits gets what a commit brought without another turn of the thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio
import trio.testing

from jwpingd.spool import Entry
from jwpingd.writer import Writer
from tests.inline import entry, moody_spool, run, writer_on

T = TypeVar("T")

FAR_MS = 4_000_000_000_000  # in 2096: everything is too old by then


class Thread:
    """Runs the work at once, counts it, and lets a test do something while it is under way."""

    def __init__(self) -> None:
        self.n_calls = 0
        self.meanwhile: Callable[[], object] = lambda: None

    async def __call__(self, work: Callable[[], T], /) -> T:
        self.n_calls += 1
        result = work()
        self.meanwhile()
        await trio.lowlevel.checkpoint()
        return result


class Awaited:
    """As the uplink: claims whenever there may be more; `claims` are the kinds that each brought."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.claims: list[list[str]] = []
        self.in_hand: list[Entry] = []

    async def run(self) -> None:
        while True:
            entries = await self.writer.claim(10)
            self.claims.append([each.kind for each in entries])
            self.in_hand += entries
            await self.writer.wait_for_more()


def waiting_uplink(tmp_path: Path, act: Callable[[Writer, Thread, Awaited], Awaitable[None]]) -> None:
    """Let `act` run beside a writer whose uplink has found nothing and waits."""

    async def main() -> None:
        thread = Thread()
        writer = writer_on(moody_spool(tmp_path))
        writer._flash._run_blocking = thread
        uplink = Awaited(writer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run)
            nursery.start_soon(uplink.run)
            await trio.testing.wait_all_tasks_blocked()
            await act(writer, thread, uplink)
            nursery.cancel_scope.cancel()

    run(main)


def test_what_a_commit_brings_is_claimed_without_the_thread(tmp_path: Path) -> None:
    """From a ping to its claim the store is used once, for the commit."""

    async def act(writer: Writer, thread: Thread, uplink: Awaited) -> None:
        for n in range(1, 4):
            before = thread.n_calls
            writer.submit([entry("e"), entry("s")])
            await trio.testing.wait_all_tasks_blocked()
            assert (uplink.claims[n], thread.n_calls - before) == (["e", "s"], 1)

    waiting_uplink(tmp_path, act)


def test_what_comes_back_during_a_commit_is_found(tmp_path: Path) -> None:
    """An entry that is released while the thread looks is claimed again, before what the commit brought."""

    async def act(writer: Writer, thread: Thread, uplink: Awaited) -> None:
        writer.submit([entry("e")])
        await trio.testing.wait_all_tasks_blocked()
        (held,) = uplink.in_hand

        def release_once() -> None:
            thread.meanwhile = lambda: None
            writer.release([held.id])

        thread.meanwhile = release_once
        writer.submit([entry("s")])
        await trio.testing.wait_all_tasks_blocked()
        assert [kind for claim in uplink.claims[2:] for kind in claim] == ["e", "s"]

    waiting_uplink(tmp_path, act)


def test_an_offer_is_no_answer_once_something_has_changed(tmp_path: Path) -> None:
    """What a commit brought and somebody took out of the store before the claim is not handed out."""

    async def main() -> None:
        writer = writer_on(moody_spool(tmp_path))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run)
            assert await writer.claim(10) == []
            nursery.start_soon(writer.wait_for_more)
            await trio.testing.wait_all_tasks_blocked()
            await writer.wait_durable(writer.submit([entry("e"), entry("s")]))
            await writer.drop([writer.last_id()], "operator")
            assert [each.kind for each in await writer.claim(10)] == ["e"]
            nursery.cancel_scope.cancel()

    run(main)


def test_an_offer_is_withdrawn_by_a_claim_that_asked_the_store(tmp_path: Path) -> None:
    """What a claim got that began during the commit is not handed out a second time from its offer."""

    async def main() -> None:
        thread = Thread()
        writer = writer_on(moody_spool(tmp_path))
        writer._flash._run_blocking = thread
        claims: list[list[Entry]] = []

        async def claim() -> None:
            claims.append(await writer.claim(10))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run)
            assert await writer.claim(10) == []
            nursery.start_soon(writer.wait_for_more)
            await trio.testing.wait_all_tasks_blocked()

            def claim_once() -> None:
                thread.meanwhile = lambda: None
                nursery.start_soon(claim)

            thread.meanwhile = claim_once
            await writer.wait_durable(writer.submit([entry("e"), entry("s")]))
            await trio.testing.wait_all_tasks_blocked()
            await claim()
            assert [[each.kind for each in entries] for entries in claims] == [["e", "s"], []]
            nursery.cancel_scope.cancel()

    run(main)


def test_a_purge_that_is_on_its_way_holds_for_an_offer(tmp_path: Path) -> None:
    """What may not leave any more is in no claim, although the commit before has offered it."""

    async def act(writer: Writer, thread: Thread, uplink: Awaited) -> None:
        def purge_once() -> None:
            thread.meanwhile = lambda: None
            writer.purge(lambda _target: None, reason="opt_out", is_of_box=False)

        thread.meanwhile = purge_once
        writer.submit([entry("e")])
        await trio.testing.wait_all_tasks_blocked()
        assert uplink.in_hand == []
        assert writer.account().dropped["opt_out"] == 1

    waiting_uplink(tmp_path, act)


def test_what_is_claimed_before_an_expiry_has_its_turn_does_not_expire(tmp_path: Path) -> None:
    """An offer may be taken while the expiry waits for the store: what is in hand then is not dropped."""

    async def act(writer: Writer, thread: Thread, uplink: Awaited) -> None:
        async with trio.open_nursery() as nursery:

            def expire_once() -> None:
                thread.meanwhile = lambda: None
                nursery.start_soon(writer.expire, FAR_MS)

            for _ in range(10):  # Which of the two goes first is for trio's dice.
                thread.meanwhile = expire_once
                writer.submit([entry("e")])
                await trio.testing.wait_all_tasks_blocked()
        assert writer.account().dropped["age"] + len(uplink.in_hand) == 10

    waiting_uplink(tmp_path, act)
