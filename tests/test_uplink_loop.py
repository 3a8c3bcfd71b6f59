"""The loop: every entry reaches the collector or its verdict, in virtual time."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.uplink import Clock, CollectorTime, Options, Outcome, Queue, Uplink
from jwpingd.uplink.lanes import MAX_PARKED
from tests.uplink_fakes import (
    DEAD,
    OK,
    SILENT,
    FakeQueue,
    Reply,
    ScriptedCollector,
    VirtualClock,
    inline,
    stamp,
    virtual_run,
)

T = TypeVar("T")

NOON, NOON_S = "Sun, 06 Nov 1994 12:00:00 GMT", 784_123_200.0

PORTAL = Reply(200, {"Content-Type": "text/html; charset=utf-8"})
REDIRECT = Reply(302, {"Location": "https://portal.example/"})
BUSY = Reply(503)
GONE = Reply(404)
RESET = Reply(error=httpx.ReadError("reset"))
BUG = Reply(error=KeyError("a fault of the library"))


@asynccontextmanager
async def running(
    queue: FakeQueue,
    collector: ScriptedCollector,
    *,
    hold_backlog_until_s: float = -inf,
    wall_s: Callable[[], float | None] = lambda: None,
    fraction: float = 0.999,
    options: Options | None = None,
) -> AsyncIterator[Uplink]:
    """An uplink at work for as long as the block lasts.  Waits are all but their longest."""
    uplink = Uplink(
        queue,
        VirtualClock(),
        options or Options("https://collector.example", max_per_s=0),
        stamp=stamp,
        run_blocking=inline,
        hold_backlog_until_s=hold_backlog_until_s,
        wall_s=wall_s,
        fraction=lambda: fraction,
        make_transport=collector,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(uplink.run)
        yield uplink
        nursery.cancel_scope.cancel()


def _always(reply: Reply, entry_id: int, n_before: int) -> Reply:
    return reply


def paced(max_per_s: float, concurrency: int = 4) -> Options:
    return Options("https://collector.example", concurrency=concurrency, max_per_s=max_per_s)


# --- the ordinary -----------------------------------------------------------------------------------


def test_the_fakes_are_what_the_uplink_asks_for() -> None:
    """The fake queue and clock fulfil the protocols (mypy), and a queue settles an entry only once."""

    async def main() -> None:
        queue = FakeQueue(2)
        as_queue: Queue = queue
        as_clock: Clock = VirtualClock()
        assert [entry.id for entry in await as_queue.claim(9)] == [1, 2]
        assert await as_queue.claim(9) == [] and as_clock.boot_s() == trio.current_time()
        queue.delivered(1)
        with pytest.raises(KeyError):
            queue.delivered(1)
        queue.release([2])
        assert [entry.id for entry in await queue.claim(9, after_id=1, to_id=2)] == [2]

    virtual_run(main)


def test_oldest_first_and_no_more_than_allowed_at_once() -> None:
    """Tries start in the order of ids, `concurrency` of them at a time, each target stamped."""

    async def main() -> None:
        queue, collector = FakeQueue(100), ScriptedCollector()
        async with running(queue, collector):
            await trio.sleep(10)
        assert collector.ids() == list(range(1, 101)) == sorted(queue.delivered_ids)
        assert max(request.n_in_flight for request in collector.requests) == 4
        assert collector.n_connections == 4
        assert collector.requests[0].target == "/v1/jwplayer6/ping.gif?e=t&n=1&sa=1700000000000"

    virtual_run(main)


def test_a_lone_ping_leaves_at_once() -> None:
    """A lone ping needs no company and no timer, and pings that come one by one no second connection."""

    async def main() -> None:
        queue, collector = FakeQueue(), ScriptedCollector()
        async with running(queue, collector):
            for second in (10, 20, 30):
                await trio.sleep_until(second)
                queue.put()
        assert [request.started_s for request in collector.requests] == [10, 20]
        assert collector.n_connections == 1

    virtual_run(main)


def test_idle_means_asleep() -> None:
    """With nothing to do nothing is asked, and after a minute the connections are closed."""

    async def main() -> None:
        queue, collector = FakeQueue(20), ScriptedCollector()
        async with running(queue, collector) as uplink:
            await trio.sleep(59)
            n_claims = queue.n_claims
            assert collector.n_closed == 0
            await trio.sleep(80_000)
            assert queue.n_claims == n_claims
            assert collector.n_closed == collector.n_connections == 4
            assert uplink.status().next_try_boot_ms is None
            queue.put()
            await trio.sleep(1)
        assert len(queue.delivered_ids) == 21

    virtual_run(main)


def test_one_claim_for_one_live_ping() -> None:
    """Each claim may cost a write to flash: a lone ping needs one, and no second look."""

    async def main() -> None:
        queue, collector = FakeQueue(), ScriptedCollector()
        async with running(queue, collector):
            await trio.sleep(1)
            n_claims = queue.n_claims
            for _ in range(10):
                queue.put()
                await trio.sleep(1)
            assert queue.n_claims == n_claims + 10

    virtual_run(main)


def test_cancelling_gives_everything_back() -> None:
    """Entries in flight, parked and claimed are all waiting again; nothing is lost or doubled."""

    async def main() -> None:
        queue = FakeQueue(100)
        collector = ScriptedCollector(lambda i, n: BUSY if i == 1 else OK if i < 20 else SILENT)
        async with running(queue, collector):
            await trio.sleep(2)
            assert collector.n_in_flight and len(queue.claimed) > collector.n_in_flight
        assert not queue.claimed and collector.n_in_flight == 0
        assert sorted([*queue.waiting, *queue.delivered_ids]) == list(range(1, 101))
        assert collector.n_closed == collector.n_connections

    virtual_run(main)


# --- pace -------------------------------------------------------------------------------------------


def test_a_backlog_leaves_at_the_rate() -> None:
    """400 entries at 20/s take 19.95 s from the first to the last, evenly."""

    async def main() -> None:
        queue, collector = FakeQueue(400), ScriptedCollector()
        async with running(queue, collector, options=paced(20)):
            await trio.sleep(60)
        starts_s = [request.started_s for request in collector.requests]
        assert len(starts_s) == 400
        assert starts_s[-1] - starts_s[0] == pytest.approx(399 / 20)
        assert starts_s[200] - starts_s[0] == pytest.approx(200 / 20)

    virtual_run(main)


def test_without_a_limit_the_round_trip_is_the_limit() -> None:
    """1,000 entries of 0.1 s each over 10 connections take 10 s."""

    async def main() -> None:
        queue, collector = FakeQueue(1000), ScriptedCollector(lambda i, n: Reply(after_s=0.1))
        async with running(queue, collector, options=paced(0, concurrency=10)):
            await trio.sleep(60)
        assert collector.requests[-1].started_s == pytest.approx(9.9)
        assert len(queue.delivered_ids) == 1000

    virtual_run(main)


def test_live_pings_are_not_starved() -> None:
    """With 10,000 entries of backlog a live ping starts within a round trip, and the backlog goes on."""

    async def main() -> None:
        queue, collector = FakeQueue(10_000), ScriptedCollector(lambda i, n: Reply(after_s=0.15))
        put_s = {}
        async with running(queue, collector, options=paced(20)):
            for second in range(1, 31):
                await trio.sleep_until(second)
                queue.put()
                put_s[queue.last_id()] = trio.current_time()
            await trio.sleep(1)
        assert max(collector.times(entry_id)[0] - put_s[entry_id] for entry_id in put_s) <= 0.15
        assert 550 <= len([i for i in collector.ids() if i <= 10_000]) <= 622

    virtual_run(main)


def test_a_backlog_of_an_outage_leaves_over_a_quarter_of_its_time() -> None:
    """An hour away, 180 pings: they take a quarter of an hour, while what happens now goes at once."""

    async def main() -> None:
        queue = FakeQueue()
        collector = ScriptedCollector(lambda i, n: DEAD if trio.current_time() < 3600 else OK)
        async with running(queue, collector, options=paced(20)) as uplink:
            for _ in range(180):
                queue.put()
                await trio.sleep(20)
            uplink.network_changed()
            await trio.sleep(10)
            back_s = trio.current_time()
            queue.put()
            await trio.sleep(1)
            assert queue.delivered_ids[-1] == 181 and len(queue.delivered_ids) < 10
            await trio.sleep(1000)
        assert len(queue.delivered_ids) == 181
        assert 850 <= collector.requests[-1].started_s - back_s <= 900

    virtual_run(main)


def test_the_first_drain_can_be_held() -> None:
    """What waited at the start waits for its moment; live pings do not."""

    async def main() -> None:
        queue, collector = FakeQueue(10), ScriptedCollector()
        async with running(queue, collector, hold_backlog_until_s=25.0):
            await trio.sleep(1)
            queue.put(2)
            await trio.sleep(60)
        assert collector.ids() == [11, 12, *range(1, 11)]
        assert collector.times(12)[0] == 1.0 and collector.times(1)[0] == 25.0

    virtual_run(main)


# --- bad pings --------------------------------------------------------------------------------------


def test_a_refused_ping_is_set_aside(caplog: pytest.LogCaptureFixture) -> None:
    """A refused ping leaves the queue with its reason, others go on, and it is told once, not per ping."""

    async def main() -> None:
        queue, collector = FakeQueue(50), ScriptedCollector(lambda i, n: GONE if i % 10 == 0 else OK)
        async with running(queue, collector) as uplink:
            await trio.sleep(1)
            assert (uplink.status().n_delivered, uplink.status().n_set_aside) == (45, 5)
        assert queue.set_aside_ids == dict.fromkeys([10, 20, 30, 40, 50], "HTTP 404")

    virtual_run(main)
    assert caplog.messages == ["ping set aside: HTTP 404; further ones are only counted"]


@pytest.mark.parametrize("bad", [BUSY, PORTAL, REDIRECT, RESET, BUG, Reply(408), Reply(429)], ids=str)
def test_one_bad_ping_blocks_nothing(bad: Reply, caplog: pytest.LogCaptureFixture) -> None:
    """The oldest fails for ever: all others are delivered as if it were not there, and it is kept."""

    async def main() -> None:
        queue, collector = FakeQueue(200), ScriptedCollector(lambda i, n: bad if i == 1 else OK)
        async with running(queue, collector) as uplink:
            await trio.sleep(1)
            assert len(queue.delivered_ids) == 199
            for _ in range(100):
                queue.put()
                await trio.sleep(1)
            assert uplink.status().is_online
        assert len(queue.delivered_ids) == 299
        delays_s = [collector.times(i)[0] - (i - 200) for i in range(201, 301)]
        assert max(delays_s) <= 0.05
        assert list(queue.waiting) == [1] and len(collector.times(1)) > 5

    virtual_run(main)
    assert caplog.messages == []


def test_the_bad_ping_backs_off_on_its_own() -> None:
    """Its tries get rarer by factors of two, up to the limit."""

    async def main() -> None:
        queue, collector = FakeQueue(1), ScriptedCollector(lambda i, n: BUSY if n < 12 else OK)
        async with running(queue, collector):
            await trio.sleep(3600)
        times_s = collector.times(1)
        gaps_s = [later - sooner for sooner, later in pairwise(times_s)]
        ceilings_s = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        assert gaps_s == pytest.approx([0.01 + 0.999 * ceiling_s for ceiling_s in ceilings_s])
        assert queue.delivered_ids == [1]

    virtual_run(main)


def test_many_bad_pings_block_nothing() -> None:
    """More than can be parked fail for ever: the rest is delivered, and the bad ones are kept and tried."""
    n_bad = MAX_PARKED + 20

    async def main() -> None:
        queue = FakeQueue(n_bad + 100)
        collector = ScriptedCollector(lambda i, n: BUSY if i <= n_bad else OK)
        options = Options("https://collector.example", max_per_s=0, retry_max_s=40.0)
        async with running(queue, collector, options=options):
            await trio.sleep(n_bad * 40)
            assert len(queue.delivered_ids) == 100
            for _ in range(30):
                put_s = trio.current_time()
                queue.put()
                await trio.sleep(20)
                assert collector.times(queue.last_id()) == pytest.approx([put_s], abs=0.5)
            assert min(len(collector.times(i)) for i in range(1, n_bad + 1)) > 3
        assert len(queue.waiting) == n_bad

    virtual_run(main)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"target": "/v1/ping.gif?n=1 HTTP/1.1"}, "forbidden characters in the request target"),
        ({"target": "/v1/ping.gif?n=1\r\nX: y"}, "forbidden characters in the request target"),
        ({"target": "/v1/ping.gif?n=1&t=é"}, "the request target is not ASCII"),
        ({"sa_ms": None}, "the time of the event is not known"),
    ],
)
def test_what_can_never_be_sent_is_set_aside(fields: dict[str, object], reason: str) -> None:
    """A damaged target never reaches the wire and never blocks."""

    async def main() -> None:
        queue, collector = FakeQueue(), ScriptedCollector()
        queue.put(1, **fields)
        queue.put()
        async with running(queue, collector) as uplink:
            await trio.sleep(1)
            assert uplink.status().is_online
        assert queue.set_aside_ids == {1: reason} and queue.delivered_ids == [2]
        assert collector.ids() == [2]

    virtual_run(main)


# --- offline ----------------------------------------------------------------------------------------


NO_ROUTE = "no connection to collector.example: no route"


def test_offline_one_probe_with_the_oldest(caplog: pytest.LogCaptureFixture) -> None:
    """Probes get rarer, only the oldest is tried, one at a time; back online all goes; told twice in all."""

    async def main() -> None:
        queue = FakeQueue(1000)
        collector = ScriptedCollector(lambda i, n: OK if trio.current_time() >= 700 else DEAD)
        async with running(queue, collector) as uplink:
            await trio.sleep(699)
            offline = collector.requests[4:]
            assert {request.entry_id for request in offline} == {1}
            assert {request.n_in_flight for request in offline} == {1}
            assert len(offline) <= 12
            status = uplink.status()
            assert not status.is_online and status.last_error == NO_ROUTE
            assert status.retries["ConnectError"] == len(collector.requests) == 4 + len(offline)
            assert status.next_try_boot_ms and 700_000 <= status.next_try_boot_ms <= 1_000_000
            await trio.sleep(400)
            assert uplink.status().is_online and uplink.status().last_error == ""
        assert len(queue.delivered_ids) == 1000

    virtual_run(main)
    assert caplog.messages == [
        f"link to the collector is down: {NO_ROUTE}; keeping pings and trying again",
        "link to the collector is up again; delivering what waits",
    ]


def test_offline_the_queue_has_its_entries_back() -> None:
    """While nothing can be sent, nobody holds entries that were not refused, so that they can be folded.

    Nor does anybody wait for new ones, which the queue would take for a try at once.
    """

    async def main() -> None:
        queue, collector = FakeQueue(100), ScriptedCollector(lambda i, n: DEAD)
        async with running(queue, collector):
            await trio.sleep(100)
            assert not queue.claimed and queue.n_watching == 0
            queue.put()
            await trio.sleep(1)
            assert not queue.claimed and queue.n_watching == 0
            collector.rule = lambda i, n: OK
            await trio.sleep(600)
            assert queue.n_watching == 1
        assert len(queue.delivered_ids) == 101

    virtual_run(main)


def test_after_refusals_the_probe_moves_on() -> None:
    """A busy collector: each probe takes the next entry, and they get rarer; one success and all goes."""

    async def main() -> None:
        queue = FakeQueue(30)
        collector = ScriptedCollector(lambda i, n: OK if trio.current_time() >= 100 else BUSY)
        async with running(queue, collector, options=paced(0, concurrency=1)):
            await trio.sleep(99)
            assert list(dict.fromkeys(collector.ids())) == [1, 2, 3, 4, 5, 6, 7, 8]
            assert len(collector.requests) < 60
            await trio.sleep(600)
        assert len(queue.delivered_ids) == 30

    virtual_run(main)


def test_a_black_hole_is_given_up_and_tried_again() -> None:
    """No answer at all within the timeout is a failure like others."""

    async def main() -> None:
        queue, collector = FakeQueue(1), ScriptedCollector(lambda i, n: SILENT if n == 0 else OK)
        async with running(queue, collector) as uplink:
            await trio.sleep(20)
            assert uplink.status().retries == {"timeout": 1}
        assert collector.times(1) == pytest.approx([0.0, 10.999])
        assert queue.delivered_ids == [1]

    virtual_run(main)


def test_a_network_change_brings_the_next_try_within_five_seconds() -> None:
    """However long the backoff has become; and over a new connection, for the old one may be dead."""

    async def main() -> None:
        queue, collector = FakeQueue(20), ScriptedCollector(lambda i, n: DEAD)
        async with running(queue, collector) as uplink:
            await trio.sleep(3000)
            collector.rule = lambda i, n: OK
            n_before = collector.n_connections
            uplink.network_changed()
            await trio.sleep(5.1)
            assert len(queue.delivered_ids) == 20
            assert collector.n_connections > n_before and collector.n_closed >= n_before

    virtual_run(main)


def test_a_network_change_hurries_parked_pings_too() -> None:
    """A ping on its own backoff is tried within the jitter as well."""

    async def main() -> None:
        queue, collector = FakeQueue(1), ScriptedCollector(lambda i, n: BUSY)
        async with running(queue, collector) as uplink:
            await trio.sleep(3000)
            collector.rule = lambda i, n: OK
            uplink.network_changed()
            await trio.sleep(5.1)
        assert queue.delivered_ids == [1]

    virtual_run(main)


@pytest.mark.parametrize(
    ("headers", "wall_s", "until_s"),
    [
        ({"Retry-After": "120"}, None, 120.0),
        ({"Retry-After": "Sun, 06 Nov 1994 12:02:00 GMT", "Date": NOON}, None, 120.0),
        ({"Retry-After": "Sun, 06 Nov 1994 12:02:00 GMT"}, NOON_S, 120.0),
        ({"Retry-After": "99999999"}, None, 3600.0),
    ],
)
def test_retry_after_holds_the_link(headers: dict[str, str], wall_s: float | None, until_s: float) -> None:
    """Nothing at all is sent before, whatever comes in or changes; then everything."""

    async def main() -> None:
        queue = FakeQueue(50)
        collector = ScriptedCollector(lambda i, n: Reply(429, headers) if trio.current_time() < 60 else OK)
        async with running(queue, collector, wall_s=lambda: wall_s) as uplink:
            await trio.sleep(30)
            uplink.network_changed()
            queue.put()
            assert await uplink.time_of_collector() == CollectorTime(Outcome.NO_ANSWER)
            await trio.sleep(until_s)
        late_s = [request.started_s for request in collector.requests if request.started_s > 1]
        assert min(late_s) == pytest.approx(until_s + 0.01)
        assert len(queue.delivered_ids) == 51

    virtual_run(main)


def test_a_lone_ping_after_an_outage_does_not_wait_for_a_bad_one() -> None:
    """A bad ping has been alone for hours; a new one goes at once all the same."""

    async def main() -> None:
        queue, collector = FakeQueue(1), ScriptedCollector(lambda i, n: BUSY if i == 1 else OK)
        async with running(queue, collector):
            await trio.sleep(5000)
            queue.put()
            await trio.sleep(0.1)
            assert queue.delivered_ids == [2]

    virtual_run(main)


# --- the rest ---------------------------------------------------------------------------------------


def test_purged_entries_are_not_sent() -> None:
    """Opt-out stops retries and, where it still can, what is in flight."""

    async def main() -> None:
        queue = FakeQueue(2)
        collector = ScriptedCollector(lambda i, n: BUSY if i == 1 else Reply(after_s=5.0))
        async with running(queue, collector) as uplink:
            await trio.sleep(0.5)
            assert uplink.status().n_in_flight == 1
            for entry_id in (1, 2):
                queue.purge(entry_id)
            uplink.withdraw(lambda entry: entry.id in (1, 2))
            await trio.sleep(1000)
            assert uplink.status().n_in_flight == 0
        assert collector.ids() == [1, 2] and queue.delivered_ids == []

    virtual_run(main)


def test_a_setup_that_fails_is_tried_again() -> None:
    """A CA file that cannot be read yet keeps pings waiting; it does not end the daemon."""

    async def main() -> None:
        queue, collector, n_loads = FakeQueue(5), ScriptedCollector(), 0

        async def mount_late(work: Callable[[], T], /) -> T:
            nonlocal n_loads
            n_loads += 1
            if n_loads < 4:
                raise FileNotFoundError(2, "No such file or directory", "/mnt/ca.pem")
            return work()

        uplink = Uplink(
            queue,
            VirtualClock(),
            Options("https://collector.example", ca_file=Path("/mnt/ca.pem")),
            stamp=stamp,
            run_blocking=mount_late,
            make_transport=collector,
        )
        await uplink.time_of_collector()
        assert uplink.status().last_error == (
            "tls.ca_file = '/mnt/ca.pem' cannot be used: No such file or directory"
        )
        with trio.move_on_after(60):
            await uplink.run()
        assert len(queue.delivered_ids) == 5
        assert uplink.status().retries["setup"] >= 2

    virtual_run(main)


def test_the_time_of_the_collector() -> None:
    """A HEAD of the collector's root tells its time; an answer without one still shows that TLS works."""
    noon, cached = {"Date": NOON}, {"Date": NOON, "Age": "7"}
    told, silent, dead = (
        CollectorTime(Outcome.ANSWERED, NOON_S),
        CollectorTime(Outcome.ANSWERED),
        CollectorTime(Outcome.NO_ANSWER),
    )

    async def main() -> None:
        for reply, expected in (
            (Reply(404, noon), told),
            (Reply(200), silent),
            (Reply(200, cached), silent),
            (DEAD, dead),
        ):
            collector = ScriptedCollector(partial(_always, reply))
            async with running(FakeQueue(), collector) as uplink:
                assert await uplink.time_of_collector() == expected
                assert collector.requests[0].target == "/"
                assert uplink.status().is_online
        collector = ScriptedCollector(lambda i, n: Reply(200, noon))
        async with running(FakeQueue(), collector, options=Options("http://localhost:1")) as uplink:
            assert await uplink.time_of_collector() == dead
            assert not collector.requests

    virtual_run(main)


def test_a_collector_that_tells_no_time_is_not_online(caplog: pytest.LogCaptureFixture) -> None:
    """Who waits for the clock learns that the network is what is missing; one question may be bad luck."""

    async def main() -> None:
        replies = iter([DEAD, DEAD, DEAD, Reply(200)])
        collector = ScriptedCollector(lambda i, n: next(replies))
        async with running(FakeQueue(), collector) as uplink:
            told = []
            for _ in range(4):
                await uplink.time_of_collector()
                told.append(uplink.status().is_online)
            assert told == [True, False, False, True]

    virtual_run(main)
    assert [line.split(":")[0] for line in caplog.messages] == [
        "the collector does not answer",
        "the collector answers again",
    ]


def test_nothing_is_sent_while_it_may_not_be() -> None:
    """No try begins before `may_send` says yes; then all goes, without waiting for a timer."""

    async def main() -> None:
        queue, collector, may_send = FakeQueue(5), ScriptedCollector(), False
        uplink = Uplink(
            queue,
            VirtualClock(),
            paced(0),
            stamp=stamp,
            run_blocking=inline,
            may_send=lambda: may_send,
            make_transport=collector,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(uplink.run)
            await trio.sleep(3600)
            assert not collector.requests and uplink.status().next_try_boot_ms is None
            may_send = True
            uplink.look_again()
            await trio.sleep(1)
            assert len(queue.delivered_ids) == 5
            nursery.cancel_scope.cancel()

    virtual_run(main)


def test_targets_reach_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Even with every logger at its most talkative, httpx and httpcore say nothing: targets name users."""
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        queue = FakeQueue(3)
        async with running(queue, ScriptedCollector(lambda i, n: DEAD if n == 0 else OK)):
            await trio.sleep(30)

    virtual_run(main)
    logging.getLogger("httpcore.http11").debug("GET /secret")
    logging.getLogger("httpx").info("GET /secret")
    assert not [record for record in caplog.records if record.name.startswith("http")]
    assert "n=" not in caplog.text


REPLIES = [OK, OK, BUSY, GONE, PORTAL, REDIRECT, RESET, DEAD, BUG, SILENT, Reply(429, {"Retry-After": "20"})]


@given(
    script=st.lists(st.sampled_from(REPLIES), max_size=40),
    puts=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5)), max_size=8),
    concurrency=st.integers(1, 4),
    fraction=st.floats(0, 0.999),
)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_whatever_the_collector_does_every_ping_is_settled(
    script: list[Reply],
    puts: list[tuple[float, int]],
    concurrency: int,
    fraction: float,
) -> None:
    """After any sequence of answers the rest is delivered: each entry once, none lost, none held."""

    async def main() -> None:
        queue, replies = FakeQueue(5), iter(script)
        collector = ScriptedCollector(lambda i, n: next(replies, OK))
        options = paced(20, concurrency)
        async with running(queue, collector, fraction=fraction, options=options) as uplink:
            for gap_s, n_entries in puts:
                await trio.sleep(gap_s)
                queue.put(n_entries)
                uplink.network_changed()
        async with running(queue, collector, fraction=fraction, options=options):
            await trio.sleep(24 * 3600)
        settled = [*queue.delivered_ids, *queue.set_aside_ids]
        assert sorted(settled) == list(range(1, queue.last_id() + 1))
        assert not queue.waiting and not queue.claimed

    virtual_run(main)
