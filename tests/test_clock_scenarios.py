"""What a box's clock can go through, by the real daemon in virtual time, against a model of the truth."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwpingd.clock import BUILD_MS, Clock
from jwpingd.config import Config
from jwpingd.config.sections import SpoolSettings
from jwpingd.daemon import Daemon, trusted_time
from jwpingd.daemon.box import Box
from jwpingd.daemon.unknown_apps import UnknownApps
from jwpingd.sockets import listening
from jwpingd.sockets.door import Door
from tests.inline import PlainDevice, run, run_inline
from tests.processes import ANALYTICS_ID
from tests.spool_values import is_balanced
from tests.virtual_clocks import VirtualReaders

DAY_MS = 86_400_000
TRUE_START_MS = BUILD_MS + 100 * DAY_MS
VALID_FROM_MS, VALID_TO_MS = BUILD_MS - 300 * DAY_MS, TRUE_START_MS + 300 * DAY_MS  # the certificate
NOT_YET_VALID, EXPIRED = 9, 10  # X509_V_ERR_…
EXACT_MS = 1000


class Event:
    """Something that a player told; its pings carry its number as title."""

    def __init__(self, true_ms: int, boot: int, *, is_known: bool) -> None:
        self.true_ms = true_ms
        self.boot = boot
        self.was_known = is_known
        self.errors_ms: list[int] = []


class World:
    """The truth; a box with its clocks, a network, and a collector beyond it.

    A boot is *knowable* if somebody told its daemon the time: a time service, or the collector's Date.
    """

    def __init__(self, directory: Path, *, tells_date: bool) -> None:
        self.directory = directory
        self.tells_date = tells_date
        self.is_network_up = True
        self.max_age_days = 30
        self.events: list[Event] = []
        self.knowable_boots: set[int] = set()
        self.n_tried_in_vain = 0
        self.boot = 0
        self.daemon: Daemon
        self._skipped_ms = 0
        self.reboot(0, wall_ms=0)

    def true_ms(self) -> int:
        return TRUE_START_MS + round(trio.current_time() * 1000) + self._skipped_ms

    # --- what happens to the box --------------------------------------------------------------

    def reboot(self, off_ms: int, wall_ms: int) -> None:
        """The box was without power; the clock starts at `wall_ms`."""
        self._skipped_ms += off_ms
        self.boot += 1
        self.readers = VirtualReaders(wall_ms, boot=f"boot-{self.boot}", boottime_ms=8_000)

    def synchronise(self) -> None:
        """A time service sets the clock right and vouches for it."""
        self.readers.set_wall(self.true_ms(), is_vouched_for=True)
        self.knowable_boots.add(self.boot)

    def set_by_hand(self, step_ms: int) -> None:
        self.readers.set_wall(max(0, self.readers.wall_ms() + step_ms))

    def stand_by(self, duration_ms: int) -> None:
        self._skipped_ms += duration_ms
        self.readers.stand_by(duration_ms)

    async def happen(self) -> None:
        """A play begins and ends: three pings, all acknowledged."""
        event = Event(self.true_ms(), self.boot, is_known=self.clock.is_known)
        self.events.append(event)
        lines = [
            {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": str(len(self.events) - 1)},
            {"event": "time", "position": 0, "duration": 300},
            {"event": "remove", "id": 1},
        ]
        async with await trio.open_unix_socket(str(self.directory / "player.sock")) as player:
            await player.send_all(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            assert await player.receive_some() == b'{"ack":1}\n'

    @property
    def n_arrived(self) -> int:
        return sum(len(event.errors_ms) for event in self.events)

    # --- the daemon ---------------------------------------------------------------------------

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """The daemon, from its start to its end in good order."""
        kept = trusted_time.read(self.directory)
        self.clock = Clock(
            self.readers,
            last_trusted_ms=kept.wall_ms,
            proven_offset_ms=kept.proven_in(self.readers.boot_id()),
        )
        config = Config(
            ANALYTICS_ID,
            collector_url="https://collector.example",
            spool=SpoolSettings(max_age_days=self.max_age_days),
        )
        self.daemon = Daemon(
            config,
            self.directory,
            read_config=lambda: config,
            clock=self.clock,
            box=Box(config, PlainDevice(), None, UnknownApps()),
            run_blocking=run_inline,
            look_up=run_inline,
            make_transport=lambda: Transport(self),
        )
        players, operators = (
            listening.bind(self.directory / name, mode=0o600, group=None)
            for name in ("player.sock", "control.sock")
        )
        with players, operators:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.daemon.run, Door(players), Door(operators))
                await trio.sleep(0.01)
                yield
                self.daemon.stop()

    # --- the collector ------------------------------------------------------------------------

    def answer(self, method: str, target: str, *, began_in_doubt: bool) -> httpx.Response:
        """What comes back by way of this network and this box's clock."""
        if not self.is_network_up:
            raise httpx.ConnectError("no route")
        wall_ms = self.readers.wall_ms()
        if not VALID_FROM_MS <= wall_ms <= VALID_TO_MS:
            # A ping that fails may be what tells of the clock; while it is in doubt none is tried.
            self.n_tried_in_vain += method == "GET" and began_in_doubt
            raise httpx.ConnectError("handshake") from out_of_time(wall_ms)
        if method == "HEAD" and self.tells_date:
            self.knowable_boots.add(self.boot)
        if method == "GET":
            params = parse_qs(urlsplit(target).query)
            event = self.events[int(params["t"][0])]
            event.errors_ms.append(int(params["sa"][0]) - event.true_ms)
        date = {"Date": formatdate(self.true_ms() // 1000, usegmt=True)} if self.tells_date else {}
        return httpx.Response(200, headers={"Content-Type": "image/gif", **date}, content=b"GIF89a")


def out_of_time(wall_ms: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = NOT_YET_VALID if wall_ms < VALID_FROM_MS else EXPIRED
    error.verify_message = "certificate is not yet valid" if wall_ms < VALID_FROM_MS else "expired"
    return error


class Transport(httpx.AsyncBaseTransport):
    """The way to the world's collector: a tenth of a second there, and one back."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        began_in_doubt = self._world.clock.state.name != "trusted"
        await trio.sleep(0.1)
        target = request.url.raw_path.decode()
        response = self._world.answer(request.method, target, began_in_doubt=began_in_doubt)
        await trio.sleep(0.1)
        return response


Op = tuple[Any, ...]


async def play(world: World, story: list[Op]) -> None:
    """All of it; restarts and reboots divide it into lives of the daemon.  At last the time comes for all."""
    lives: list[list[Op]] = [[]]
    for op in story:
        lives[-1].append(op)
        if op[0] in ("restart", "reboot"):
            lives.append([])
    for life in lives:
        async with world.living():
            for op in life:
                await act(world, op)
            if life is lives[-1]:
                await settle(world)
        if life and life[-1][0] == "reboot":
            off_s, clock, error_s = life[-1][1:]
            right_ms = world.true_ms() + off_s * 1000 + error_s * 1000
            world.reboot(off_s * 1000, {"1970": 0, "battery": right_ms}[clock])


async def act(world: World, op: Op) -> None:
    match op:
        case ("event",):
            await world.happen()
        case ("wait", seconds):
            await trio.sleep(seconds)
        case ("sync",):
            world.synchronise()
        case ("by hand", seconds):
            world.set_by_hand(seconds * 1000)
        case ("standby", seconds):
            world.stand_by(seconds * 1000)
        case ("network", is_up):
            world.is_network_up = is_up
    await trio.sleep(0.01)


async def settle(world: World) -> None:
    """The network is there, and in the end a time service too: everything is delivered."""
    world.is_network_up = True
    await trio.sleep(3 * 3600)
    world.synchronise()
    await trio.sleep(3 * 3600)
    account = world.daemon.writer.account()
    gone = account.delivered + account.set_aside + account.folded + sum(account.dropped.values())
    assert account.accepted == gone + account.waiting == 3 * len(world.events)
    assert account.waiting == account.set_aside == sum(account.dropped.values()) == 0
    check(world, account.clock_guessed)


def check(world: World, n_guessed: int) -> None:
    """Every ping arrived once, with the right time wherever anybody could know it; the rest is counted."""
    assert all(len(event.errors_ms) == 3 for event in world.events)
    n_wrong = 0
    for event in world.events:
        is_right = max(map(abs, event.errors_ms)) <= EXACT_MS
        n_wrong += 0 if is_right else 3
        if event.was_known or (event.boot in world.knowable_boots and world.tells_date):
            assert is_right, f"off by {event.errors_ms} ms"
        if world.tells_date:
            # Of a boot that nobody told the time nothing is known but that it was before the next.
            assert min(event.errors_ms) >= -EXACT_MS
    n_unknowable = sum(3 for event in world.events if event.boot not in world.knowable_boots)
    assert n_wrong <= n_guessed
    if world.tells_date:
        assert n_guessed <= n_unknowable
    assert world.n_tried_in_vain == 0


def tell(story: list[Op], *, tells_date: bool = True) -> None:
    """The story of one box."""

    async def main() -> None:
        with TemporaryDirectory(prefix="jwpingd-") as directory:
            await play(World(Path(directory), tells_date=tells_date), story)

    run(main)


EVENT, SYNC = ("event",), ("sync",)
YEARS_56_S = 56 * 365 * 86_400


@pytest.mark.parametrize("tells_date", [True, False])
@pytest.mark.parametrize(
    "story",
    [
        [EVENT, ("wait", 3600), EVENT, SYNC, EVENT],
        [EVENT, SYNC, EVENT, ("by hand", -3600), EVENT, ("wait", 600), EVENT, SYNC, EVENT],
        [
            EVENT,
            ("restart",),
            EVENT,
            SYNC,
            ("restart",),
            EVENT,
            ("by hand", -YEARS_56_S),
            ("restart",),
            EVENT,
        ],
        [EVENT, ("wait", 900), ("reboot", 300, "1970", 0), EVENT, SYNC],
        [EVENT, ("standby", 8 * 3600), EVENT, SYNC, EVENT, ("standby", 8 * 3600), EVENT],
        [("by hand", YEARS_56_S + 100 * 86_400), EVENT, ("wait", 900), EVENT],
        [SYNC, EVENT, ("network", False), EVENT, ("reboot", 86_400, "battery", -40), EVENT, ("wait", 2000)],
        [("network", False), ("by hand", YEARS_56_S + 200 * 86_400), EVENT, ("wait", 86_400), EVENT],
    ],
    ids=[
        "1970, then a step of 56 years",
        "a step back by hand",
        "restarts in between",
        "a boot that never knew",
        "standby",
        "a user who sets the clock to about now",
        "offline over a reboot",
        "offline with a wrong clock",
    ],
)
def test_what_a_clock_goes_through(story: list[Op], tells_date: bool) -> None:
    """Pings have the right time wherever it was ever knowable, and all arrive."""
    tell(story, tells_date=tells_date)


def test_a_clock_by_which_tls_cannot_work_is_shown_and_spares_the_collector() -> None:
    """1970, the network up: not one ping is tried, and the state of the clock says why."""

    async def main() -> None:
        with TemporaryDirectory(prefix="jwpingd-") as directory:
            world = World(Path(directory), tells_date=True)
            async with world.living():
                await world.happen()
                await trio.sleep(3600)
                status = await world.daemon._status({})
                assert (
                    status["clock"]["state"] == "implausible" and "certificate" in status["clock"]["reason"]
                )
                assert status["clock"]["known_ms"] is None
                assert status["waiting"] == 3 and world.n_tried_in_vain == 0
                assert not status["uplink"]["retries"]
                await settle(world)

    run(main)


def test_a_known_time_outlives_a_clock_by_which_tls_cannot_work() -> None:
    """Set back to 1970 by hand: times stay exact, a try or two find out, then nothing is sent."""

    async def main() -> None:
        with TemporaryDirectory(prefix="jwpingd-") as directory:
            world = World(Path(directory), tells_date=False)
            async with world.living():
                world.synchronise()
                await trio.sleep(5)
                world.readers.set_wall(0)
                await trio.sleep(5)
                await world.happen()
                await trio.sleep(3600)
                status = await world.daemon._status({})
                assert status["clock"]["state"] == "implausible"
                assert abs(status["clock"]["known_ms"] - world.true_ms()) <= EXACT_MS
                assert status["uplink"]["retries"]["certificate"] <= 4  # what was under way at once
                await settle(world)

    run(main)


@pytest.mark.parametrize("is_known", [True, False], ids=["the time is known", "the time is asked for"])
def test_waking_up_ends_every_wait(is_known: bool) -> None:
    """A night of standby: within five seconds of waking the collector is asked, and pings are there."""

    async def main() -> None:
        with TemporaryDirectory(prefix="jwpingd-") as directory:
            world = World(Path(directory), tells_date=True)
            world.set_by_hand(TRUE_START_MS)
            if is_known:
                world.synchronise()
            async with world.living():
                world.is_network_up = False
                for _ in range(8):
                    await world.happen()
                    await trio.sleep(3600)
                    n_before = world.n_arrived
                    world.is_network_up = True
                    world.stand_by(8 * 3600 * 1000)
                    await trio.sleep(5)
                    assert world.n_arrived > n_before
                    world.is_network_up = False
                await settle(world)

    run(main)


def test_nothing_expires_by_a_clock_that_nobody_vouches_for() -> None:
    """A clock that jumps a year ahead by hand drops nothing; the true time, when it is old enough, does."""

    async def main() -> None:
        with TemporaryDirectory(prefix="jwpingd-") as directory:
            world = World(Path(directory), tells_date=False)
            world.max_age_days = 1
            async with world.living():
                world.synchronise()
                world.is_network_up = False
                await world.happen()
                world.set_by_hand(365 * 86_400 * 1000)
                await trio.sleep(80_000)
                assert world.daemon.writer.account().waiting == 3
                await trio.sleep(86_000)
                account = world.daemon.writer.account()
                assert (account.waiting, account.dropped["age"]) == (0, 3) and is_balanced(account)

    run(main)


steps_s = st.sampled_from([-YEARS_56_S, -3600, -2, -1, 1, 2, 90, 3600, 40 * 86_400, YEARS_56_S + 90 * 86_400])
ops = st.one_of(
    st.just(EVENT),
    st.just(EVENT),
    st.just(SYNC),
    st.just(("restart",)),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 400, 700, 4000, 20_000])),
    st.tuples(st.just("by hand"), steps_s),
    st.tuples(st.just("standby"), st.sampled_from([10, 3600, 8 * 3600])),
    st.tuples(st.just("network"), st.booleans()),
    st.tuples(
        st.just("reboot"),
        st.sampled_from([20, 3600, 86_400]),
        st.sampled_from(["1970", "battery"]),
        st.sampled_from([-40 * 86_400, -90, -1, 0, 2, 3600]),
    ),
)


@given(story=st.lists(ops, max_size=14), tells_date=st.booleans())
@settings(deadline=None, derandomize=True, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_clock_goes_through(story: list[Op], tells_date: bool) -> None:
    """Any sequence of boots, steps, syncs, standbys, restarts and outages: the law of the tests above."""
    tell(story, tells_date=tells_date)
