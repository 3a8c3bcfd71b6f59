"""Connections and plays: what players write over a real socket, in virtual time."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from jwpingd import ping
from jwpingd.device import Device
from jwpingd.errors import OutOfSequence
from jwpingd.events import Consent
from jwpingd.moment import Moment
from jwpingd.ping import Facts
from jwpingd.server import Caller, Claims, Limits, Plays, Rules, Server
from jwpingd.server.connection import (
    MAX_LINES_A_TURN,
    MIN_LINE_BYTES_COUNTED,
    READ_BYTES,
    _one_turn,
)
from jwpingd.server.dialogue import Dialogue
from jwpingd.server.finished import KEPT_MS, MAX_FINISHED, Finished, FinishedPlays, Owner, read
from jwpingd.server.held import MAX_HELD
from jwpingd.sockets.door import Door
from tests.inline import START_MS, VirtualClock, moody_spool, run, writer_on
from tests.processes import BoxUnderTest, CollectorProcess, PlayerConnection, free_port, wait_until

ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream"}
REMOVE = {"event": "remove"}


def tick(position: float, duration: float | None = 300.0) -> dict[str, Any]:
    return {"event": "time", "position": position, "duration": duration}


def ticks(first_s: int, n: int) -> list[dict[str, Any]]:
    """Ticks a second apart that happened in the past, as a player that held them back writes them."""
    return [tick(first_s + idx) | {"at": START_MS / 1000 + first_s + idx} for idx in range(n)]


def describe(claims: Claims) -> Facts | None:
    if claims.consent is Consent.NONE:
        return None
    facts = Facts(
        "a17e8PTFFffxLgpVuA4vVw", claims.app_id or "app", "1", Device("test"), user_hash=claims.user_hash
    )
    return facts.without_user() if claims.consent is Consent.ANONYMOUS else facts


class KnownCaller:
    """A player about whom nothing needs to be found out."""

    async def run(self) -> None:
        return

    async def prepare(self, claims: Claims) -> None:
        return

    def facts(self, claims: Claims) -> Facts | None:
        return describe(claims)

    def status(self, claims: Claims) -> dict[str, Any]:
        return {}


class SlowCaller(KnownCaller):
    """A player of whom nothing is known before a look that takes its time."""

    look_s = 1.5

    def __init__(self) -> None:
        self._app_id = "unknown"

    async def prepare(self, claims: Claims) -> None:
        await trio.sleep(self.look_s)
        self._app_id = "found"

    def facts(self, claims: Claims) -> Facts | None:
        return describe(claims._replace(app_id=claims.app_id or self._app_id))


class EndlessCaller(SlowCaller):
    """A player of whom nothing will ever be known."""

    look_s = float("inf")


class House:
    """A server with its writer and a store in a directory; players connect to it."""

    def __init__(self, directory: Path, caller: Callable[[], Caller] = KnownCaller, /, **limits: Any) -> None:
        self.spool = moody_spool(directory / "state")
        self.writer = writer_on(self.spool, memory_max=1000)
        self.clock = VirtualClock()
        self._ids = (f"{number:012d}" for number in range(1, 10_000))
        self.plays = Plays(self.writer, self.clock, self._ids.__next__, resume_s=120)
        rules = Rules(max_line_bytes=16384, max_players=8, checkpoint_s=30, token_claim="sub")
        values: dict[str, Any] = {
            "max_connections": 64,
            "max_connections_per_uid": 32,
            "max_events_per_s": 1000,
        }
        self.limits = Limits(rules, **(values | limits))
        self.server = Server(self.plays, self.writer, self.clock, self.limits, lambda _sock, _peer: caller())
        self.path = directory / "player.sock"
        self.players: list[Player] = []
        self.stopping = trio.Event()

    def pings(self) -> list[tuple[str, dict[str, str]]]:
        """Kind and parameters of all that is on flash, in order."""
        entries = self.spool.waiting(10_000)
        return [(entry.kind, ping.read(entry.target)[1] | {"sa": str(entry.sa_ms)}) for entry in entries]

    def kinds(self) -> str:
        return " ".join(kind for kind, _ in self.pings())

    def connect(self) -> Player:
        """A player, whose socket is closed with the house at the latest."""
        self.players.append(Player(self.path))
        return self.players[-1]

    async def recover(self) -> None:
        """As the daemon does at its start."""
        self.plays.recover(await self.writer.on_spool(lambda spool: spool.checkpoints()), self.clock.now())


class Player:
    """The far end of a connection."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.sock.setblocking(False)
        self._read = b""

    def write(self, *events: dict[str, Any] | bytes) -> None:
        lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
        self.sock.sendall(b"".join(line + b"\n" for line in lines))

    def replies(self) -> list[dict[str, Any]]:
        """All replies that are there."""
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                break
            if not data:
                break
            self._read += data
        *lines, self._read = self._read.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        self.sock.close()


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[House]:
    """The house with all its tasks; at the end it is stopped in good order."""
    with socket.socket(socket.AF_UNIX) as listener:
        house.path.unlink(missing_ok=True)
        listener.bind(str(house.path))
        listener.listen(128)
        listener.setblocking(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.writer.run)
            nursery.start_soon(house.plays.run)
            async with trio.open_nursery() as serving_nursery:
                serving_nursery.start_soon(_serve, house, listener)
                await settle()
                yield house
                house.stopping.set()
            await house.writer.flush()
            nursery.cancel_scope.cancel()
        await house.writer.close()
        for player in house.players:
            player.close()


async def _serve(house: House, listener: socket.socket) -> None:
    await house.server.serve(Door(listener), until=house.stopping, leave_within_s=1.5)


async def settle(seconds: float = 1.0) -> None:
    """Let everything happen that happens within a second."""
    await trio.sleep(seconds)
    await trio.testing.wait_all_tasks_blocked()


# --- pings and acks -------------------------------------------------------------------------------


def test_a_play_becomes_pings(tmp_path: Path) -> None:
    """What a player writes is on flash as the pings of its play, its end at the end of the connection."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(ITEM, tick(0))
            for position in range(1, 30):
                await trio.sleep(1)
                player.write(tick(position))
            await settle()
            player.close()
            await settle()
            assert house.kinds() == "e s t t t gab"
            assert sum(int(values.get("ti", 0)) for _, values in house.pings()) == 29

    run(main)


def test_an_ack_never_lies(tmp_path: Path) -> None:
    """While flash refuses there is no ack; when it takes again, the ack comes after the commit."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            house.spool.refuses = True
            player.write(ITEM | {"id": 1}, tick(0) | {"id": "two"})
            await settle(60)
            assert player.replies() == []
            house.spool.refuses = False
            await settle()
            assert player.replies() == [{"ack": 1}, {"ack": "two"}]
            assert house.kinds() == "e s"

    run(main)


def test_an_event_without_consequence_is_acknowledged_too(tmp_path: Path) -> None:
    """hello and ticks that make no ping are acknowledged as soon as all before them is on flash."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write({"event": "hello", "id": 0}, ITEM, tick(0), tick(0.25) | {"id": 3})
            await settle()
            assert player.replies() == [{"ack": 0}, {"ack": 3}]

    run(main)


def test_an_at_in_the_future_hides_nothing_later(tmp_path: Path) -> None:
    """A senseless `at` is ignored: after a cut it makes nothing that follows pass for said before."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(ITEM | {"play": "key"}, tick(0) | {"at": 10**9})
            await settle()
            player.close()
            again = house.connect()
            again.write(ITEM | {"play": "key"})
            await settle(60)
            again.write(*ticks(5, 30), REMOVE)
            await settle()
            again.close()
            assert house.kinds().startswith("e s t") and house.kinds().endswith("gab")

    run(main)


def test_a_backlog_of_ticks_is_read_at_once(tmp_path: Path) -> None:
    """Only a connection with nothing more to say is read late: what is there is taken without a rest."""

    async def main() -> None:
        async with serving(House(tmp_path, max_events_per_s=0)) as house:
            player = house.connect()
            player.write(ITEM, *[tick(0)] * 2000, tick(0) | {"id": "last"})
            await settle(0.2)
            assert player.replies() == [{"ack": "last"}]
            player.close()

    run(main)


def test_half_closed_connections_get_their_acks(tmp_path: Path) -> None:
    """A player that only shuts down its writing side reads the ack of the gab that follows."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(ITEM, tick(0), REMOVE | {"id": "last"})
            player.sock.shutdown(socket.SHUT_WR)
            await settle()
            assert player.replies() == [{"ack": "last"}]
            assert house.kinds() == "e s gab"
            assert house.server.connections == {}

    run(main)


def test_at_is_the_events_moment(tmp_path: Path) -> None:
    """Held-back events keep their time: sa follows `at`, and seconds are counted as if told at once."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            await trio.sleep(300)
            player = house.connect()
            player.write(ITEM | {"at": START_MS / 1000}, *ticks(1, 25), REMOVE | {"at": START_MS / 1000 + 26})
            await settle()
            first = int(house.pings()[0][1]["sa"])
            assert [int(values["sa"]) - first for _, values in house.pings()] == [
                0,
                1000,
                10_000,
                19_000,
                26_000,
            ]
            assert sum(int(values.get("ti", 0)) for _, values in house.pings()) == 24

    run(main)


@pytest.mark.parametrize("at", [-1.0, 10**9, START_MS / 1000 + 5.0])
def test_an_at_that_cannot_be_true_is_ignored(tmp_path: Path, at: float) -> None:
    """`at` in the future, more than ten minutes old, or before the one before it, counts as now."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            await trio.sleep(604)  # and one second has passed before
            player = house.connect()
            player.write(
                {"event": "hello"}, ITEM | {"at": START_MS / 1000 + 604}, {"event": "adImpression", "at": at}
            )
            await settle()
            e, i = (int(values["sa"]) for _, values in house.pings())
            assert i - e == 1000

    run(main)


def test_a_settled_seek_makes_its_vs_without_another_event(tmp_path: Path) -> None:
    """The vs falls due by time alone, at its own moment."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(ITEM, tick(0), {"event": "seek", "offset": 100}, {"event": "seeked"})
            await settle(5)
            assert house.kinds() == "e s vs"
            sa = [int(values["sa"]) for _, values in house.pings()]
            assert sa[2] - sa[1] == 1000

    run(main)


# --- consent and identity -------------------------------------------------------------------------


def test_raw_user_ids_end_in_the_hash(tmp_path: Path) -> None:
    """Neither the id nor a token is in any file; later plays carry the hash."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(
                {"event": "hello", "user": {"id": "secret-viewer-4711"}}, ITEM | {"play": "k"}, tick(0)
            )
            await settle()
            assert "oaid" in house.pings()[0][1]

    run(main)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"secret-viewer-4711" not in file.read_bytes()


def test_a_consent_that_is_misspelt_changes_nothing(tmp_path: Path) -> None:
    """The whole hello is refused, the reply names the words that may be, and what was said before holds."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write({"event": "hello", "consent": "none"})
            player.write({"event": "hello", "consent": "ful", "user": {"id": "4711"}}, ITEM, tick(0))
            await settle()
            assert [reply["message"] for reply in player.replies()] == [
                "consent must be one of full, anonymous, none"
            ]
            assert house.kinds() == ""
            player.write({"event": "hello", "consent": "full"}, ITEM, tick(0))
            await settle()
            assert house.kinds() == "e s" and "oaid" not in house.pings()[0][1]

    run(main)


# --- plays across a cut ---------------------------------------------------------------------------


def test_a_play_with_a_key_goes_on_over_another_connection(tmp_path: Path) -> None:
    """The same key within the time: no second e or s, the same ids, and no second lost or doubled."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(ITEM | {"play": "k"}, tick(0))
            for position in range(1, 8):
                await trio.sleep(1)
                player.write(tick(position))
            player.close()
            await settle(60)
            player = house.connect()
            player.write(ITEM | {"play": "k"}, tick(7.5))
            await trio.sleep(1)
            player.write(tick(8.5), REMOVE)
            await settle()
            assert house.kinds() == "e s gab"
            assert len({values["pli"] + values["emi"] + values["pss"] for _, values in house.pings()}) == 1
            assert house.pings()[-1][1]["ti"] == "8"
            assert house.spool.checkpoints() == []

    run(main)


def test_a_play_whose_player_stays_away_ends_where_it_was(tmp_path: Path) -> None:
    """After resume_s the gab goes out, with the moment at which the connection was lost."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(ITEM | {"play": "k"}, tick(0))
            await trio.sleep(10)
            player.close()
            await settle()
            left_ms = house.clock.now().wall_ms
            assert house.kinds() == "e s"
            await settle(118)
            assert house.kinds() == "e s"
            await settle(3)
            assert house.kinds() == "e s gab"
            assert left_ms is not None
            assert abs(int(house.pings()[-1][1]["sa"]) - left_ms) <= 1000
            player = house.connect()
            player.write(ITEM | {"play": "k"})
            await settle()
            assert house.kinds() == "e s gab e"

    run(main)


def test_plays_that_wait_for_their_players_are_bounded(tmp_path: Path) -> None:
    """Of plays whose connections are gone only so many are held; the oldest end early."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            for number in range(MAX_HELD + 3):
                player = house.connect()
                player.write(ITEM | {"play": str(number)}, tick(0))
                player.close()
                await settle(0.01)
            await settle()
            assert house.plays.n_held == MAX_HELD
            assert house.kinds().count("gab") == 3

    run(main)


def test_a_connection_that_still_holds_the_play_loses_it(tmp_path: Path) -> None:
    """The newest connection has the play; the old one's events make no ping, its end no gab."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            old, new = house.connect(), house.connect()
            old.write(ITEM | {"play": "k"}, tick(0))
            await settle()
            new.write(ITEM | {"play": "k"})
            await settle()
            old.write(tick(100), REMOVE)
            await settle()
            old.close()
            await settle()
            assert house.kinds() == "e s"
            new.write(tick(1), REMOVE)
            await settle()
            assert house.kinds() == "e s gab"

    run(main)


def test_a_key_with_another_medium_names_another_play(tmp_path: Path) -> None:
    """A player that uses one key for all it plays has each item counted, on a connection and over a cut."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            for media_id in ("first001", "second02"):
                player.write(ITEM | {"mediaid": media_id, "play": "k"}, tick(0))
            player.close()
            await settle()
            again = house.connect()
            again.write(ITEM | {"mediaid": "third003", "play": "k"}, tick(0), REMOVE)
            await settle(130)
            told = [(values["id"], values["e"]) for _, values in house.pings()]
            for media_id in ("first001", "second02", "third003"):
                assert [kind for told_id, kind in told if told_id == media_id] == ["e", "s", "gab"]

    run(main)


def test_another_app_cannot_resume_the_play(tmp_path: Path) -> None:
    """A key belongs to its user and app."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            first, second = house.connect(), house.connect()
            first.write(ITEM | {"play": "k"}, tick(0))
            second.write({"event": "hello", "app": {"id": "other"}}, ITEM | {"play": "k"})
            await settle()
            assert sorted(house.kinds().split()) == ["e", "e", "s"]

    run(main)


@pytest.mark.parametrize("key", ["", "k"])
def test_a_crash_loses_no_second_that_was_checkpointed(tmp_path: Path, key: str) -> None:
    """After a cut the gab has every second up to the last checkpoint, and none that a t already had."""

    async def main() -> None:
        house = House(tmp_path)
        async with serving(house):
            player = house.connect()
            player.write(ITEM | {"play": key}, tick(0, None))
            for position in range(1, 66):
                await trio.sleep(1)
                player.write(tick(position, None))
            await settle()
            house.writer.submit = lambda *args, **kwargs: 0  # type: ignore[method-assign]  # the plug is pulled
        again = House(tmp_path)
        async with serving(again):
            await again.recover()
            await settle(125)
            assert again.kinds() == "e s t t t gab"
            watched_s = sum(int(values.get("ti", 0)) for _, values in again.pings())
            assert 60 <= watched_s <= 65

    run(main)


def test_a_play_resumes_after_a_restart(tmp_path: Path) -> None:
    """Stopped in good order in mid-play: the next daemon goes on with it, under the same key."""

    async def main() -> None:
        house = House(tmp_path)
        async with serving(house):
            player = house.connect()
            player.write(
                ITEM | {"play": "k"}, tick(0), {"event": "seek", "offset": 100}, {"event": "seeked", "id": 1}
            )
            await trio.sleep(0.1)
        again = House(tmp_path)
        async with serving(again):
            await again.recover()
            player = again.connect()
            player.write(ITEM | {"play": "k"}, tick(100.5))
            await settle(2)
            player.write(REMOVE)
            await settle()
            assert again.kinds() == "e s vs gab"
            assert len({values["pli"] for _, values in again.pings()}) == 1

    run(main)


def test_what_a_player_says_again_after_a_crash_counts_once(tmp_path: Path) -> None:
    """All that a play has taken is known by its `at`: said again it makes no ping and no second."""
    start_s = START_MS / 1000
    told: list[dict[str, Any]] = [
        ITEM | {"play": "k", "at": start_s},
        *(tick(0.5 * n) | {"at": start_s + 0.5 * n} for n in range(1, 7)),
        {"event": "adImpression", "at": start_s + 3.1},
        {"event": "seek", "offset": 100.0, "at": start_s + 3.2},
        {"event": "seeked", "at": start_s + 3.3},
        *(tick(100 + 0.5 * n) | {"at": start_s + 4 + 0.5 * n} for n in range(1, 7)),
        REMOVE | {"at": start_s + 8},
    ]

    async def main(n_before: int) -> None:
        house = House(tmp_path / str(n_before))
        async with serving(house):
            await trio.sleep(9)
            player = house.connect()
            player.write(*told[:n_before])
            await settle()
            house.writer.submit = lambda *args, **kwargs: 0  # type: ignore[method-assign]  # the plug is pulled
        again = House(tmp_path / str(n_before))
        async with serving(again):
            await trio.sleep(9)
            await again.recover()
            player = again.connect()
            player.write(*told)
            await settle()
            assert again.kinds() == "e s i vs gab"
            assert sum(int(values.get("ti", 0)) for _, values in again.pings()) == 5
            player.write(ITEM | {"play": "k", "at": start_s + 8.5})
            await settle()
            assert again.kinds() == "e s i vs gab e"

    for n_before in range(1, len(told) + 1):
        (tmp_path / str(n_before)).mkdir()
        run(partial(main, n_before))


def test_a_play_that_another_replaced_is_known_when_said_again(tmp_path: Path) -> None:
    """An item ends the play before it: after a crash neither is begun again."""
    start_s = START_MS / 1000
    told: list[dict[str, Any]] = [
        ITEM | {"play": "k", "at": start_s + 1},
        tick(0.0) | {"at": start_s + 2},
        ITEM | {"play": "l", "mediaid": "AbCdEf12", "at": start_s + 3},
        tick(0.0) | {"at": start_s + 4},
    ]

    async def main() -> None:
        house = House(tmp_path)
        async with serving(house):
            await trio.sleep(9)
            player = house.connect()
            player.write(*told)
            await settle()
            house.writer.submit = lambda *args, **kwargs: 0  # type: ignore[method-assign]  # the plug is pulled
        again = House(tmp_path)
        async with serving(again):
            await trio.sleep(9)
            await again.recover()
            player = again.connect()
            player.write(*told, REMOVE | {"at": start_s + 5})
            await settle()
            assert again.kinds() == "e s gab e s gab"
            await trio.sleep(700)
            player.write(ITEM, REMOVE)
            await settle()
            assert again.spool.checkpoints() == []

    run(main)


def test_finished_plays_are_bounded() -> None:
    """In number and in time; those that are forgotten lose their place on flash, too."""
    plays = FinishedPlays()
    owners = [Owner(0, "app", str(number), "9u6OHIO4") for number in range(MAX_FINISHED + 2)]
    for number, owner in enumerate(owners):
        finished = Finished(owner, f"play{number}", "boot", number)
        assert read(finished.checkpoint) == finished
        plays.add(finished)
    plays.add(Finished(owners[5], "again", "boot", 1000))
    assert plays.take_forgotten(1000) == ["play0", "play1", "play5"]
    assert plays.known_to_ms(owners[0]) is None
    assert plays.known_to_ms(owners[5]) == 1000
    assert len(plays.take_forgotten(1000 + KEPT_MS)) == MAX_FINISHED
    assert plays.known_to_ms(owners[5]) is None


def test_a_paused_play_costs_no_writes(tmp_path: Path) -> None:
    """Ticks that credit nothing are not checkpointed again and again."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(ITEM | {"play": "k"}, tick(0))
            await settle(35)
            before = house.spool.last_batch
            for _ in range(600):
                await trio.sleep(1)
                player.write(tick(0))
            await settle(40)
            assert house.spool.last_batch == before

    run(main)


# --- what must not hurt ---------------------------------------------------------------------------


def test_bad_lines_are_told_and_harmless(tmp_path: Path) -> None:
    """Each bad line has its reply with its number; the good ones between them count."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(
                tick(0),
                b"nonsense",
                ITEM,
                {"event": "time"} | {"id": 7},
                b'{"event":"fly"}',
                b'{"event":"fly"}',
            )
            player.write(tick(0) | {"id": 8})
            await settle()
            replies = player.replies()
            assert [(reply.get("error"), reply.get("line"), reply.get("id")) for reply in replies[:-1]] == [
                ("out-of-sequence", 1, None),
                ("bad-json", 2, None),
                ("bad-event", 4, 7),
                ("unknown-event", 5, None),
            ]
            assert replies[0]["message"].startswith("time came before")
            assert replies[-1] == {"ack": 8}
            assert house.kinds() == "e s"

    run(main)


def test_too_many_players_are_refused(tmp_path: Path) -> None:
    """A connection has eight players at most; events of unknown ones make none."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(
                *(ITEM | {"player": str(number)} for number in range(10)), tick(0) | {"player": "stranger"}
            )
            await settle()
            errors = [reply["error"] for reply in player.replies()]
            assert errors == ["too-many-players", "too-many-players", OutOfSequence.code]
            assert house.kinds() == " ".join(["e"] * 8)

    run(main)


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_uid"])
def test_connections_beyond_the_limit_are_told_and_closed(tmp_path: Path, limit: str) -> None:
    """One more than allowed gets too-many-connections; when one leaves, there is room again."""

    async def main() -> None:
        async with serving(House(tmp_path, **{limit: 3})) as house:
            players = [house.connect() for _ in range(5)]
            await settle()
            told = [player.replies() for player in players]
            assert [bool(replies) for replies in told] == [False, False, False, True, True]
            assert told[3][0]["error"] == "too-many-connections"
            players[0].close()
            await settle()
            late = house.connect()
            late.write(ITEM | {"id": 1})
            await settle()
            assert late.replies() == [{"ack": 1}]

    run(main)


def test_players_leave_descriptors_for_the_rest(tmp_path: Path) -> None:
    """However many connections are configured, files of the daemon's own can still be opened."""

    async def main() -> None:
        async with serving(House(tmp_path, max_descriptors=0)) as house:
            player = house.connect()
            await settle()
            (told,) = player.replies()
            assert told["error"] == "too-many-connections" and "LimitNOFILE" in told["message"]

    run(main)


@pytest.mark.slow
def test_a_daemon_short_of_descriptors_answers_and_delivers(tmp_path: Path) -> None:
    """With as many players as it takes, status answers and pings are delivered."""
    port = free_port()
    collector, box = CollectorProcess(port), BoxUnderTest(tmp_path, port, "socket.max_connections=1024")
    box.program = ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", *box.program]
    box.start()
    players = [box.connect() for _ in range(40)]
    wait_until(lambda: box.status()["clients_refused"] > 0, "some are refused")
    players[0].send_and_wait(ITEM)
    wait_until(lambda: box.status()["delivered"] == 1, "the ping is delivered")
    for player in players:
        player.close()
    box.stop()
    collector.stop()


def test_users_that_are_not_allowed_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a list of users, any other is refused with a word; the operator gets one for many."""

    async def main() -> None:
        async with serving(House(tmp_path, allowed_uids=frozenset({1}))) as house:
            players = [house.connect() for _ in range(20)]
            await settle()
            for player in players:
                assert [reply["error"] for reply in player.replies()] == ["not-allowed"]

    run(main)
    (line,) = caplog.messages
    assert "is refused (not-allowed)" in line and "socket.allow_users" in line


def test_a_writer_that_never_reads_is_served_all_the_same(tmp_path: Path) -> None:
    """Replies that nobody takes are dropped; every event counts."""

    async def main() -> None:
        async with serving(House(tmp_path, max_events_per_s=0)) as house:
            player = house.connect()
            player.write(ITEM, tick(0))
            data = b'{"event":"bad"}\n{"event":"time"}\n' * 20_000
            sent = 0
            while sent < len(data):
                try:
                    sent += player.sock.send(data[sent : sent + READ_BYTES])
                except BlockingIOError:
                    await settle(0.1)
            player.write(REMOVE)
            await settle()
            assert house.kinds() == "e s gab"

    run(main)


@pytest.mark.parametrize(
    "nothing", [b"\n" * 100, b"x" * 100 * MIN_LINE_BYTES_COUNTED], ids=["empty", "endless"]
)
def test_what_says_nothing_counts_too(nothing: bytes, tmp_path: Path) -> None:
    """Empty lines, and a line without end, use up max_events_per_s as events do."""

    async def main() -> None:
        async with serving(House(tmp_path, max_events_per_s=10)) as house:
            player = house.connect()
            player.sock.sendall(nothing)
            await settle(2)
            player.sock.sendall(b"\n")
            player.write(ITEM | {"id": 1})
            await settle(5)
            assert {"ack": 1} not in player.replies()
            await settle(10)
            assert {"ack": 1} in player.replies()

    run(main)


@given(st.binary(max_size=50) | st.integers(0, 1000).map(lambda n: b"{}\n" * n), st.binary(max_size=50))
def test_a_turn_takes_its_lines_and_leaves_the_rest(data: bytes, more: bytes) -> None:
    """Whatever is read is handled, in order, and no more than MAX_LINES_A_TURN lines of it at once."""
    now, rest = _one_turn(data + more)
    assert now + rest == data + more
    assert now.count(b"\n") <= MAX_LINES_A_TURN
    assert not rest or (now.count(b"\n") == MAX_LINES_A_TURN and now.endswith(b"\n"))


@pytest.mark.slow
def test_players_that_never_stop_writing_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    """What lies in their sockets, and what they add to it, is left; the others' plays are ended."""
    box = BoxUnderTest(tmp_path, free_port())
    box.start()
    player = box.connect()
    player.send_and_wait(ITEM, tick(0))
    writers = [box.connect() for _ in range(20)]
    threads = [threading.Thread(target=_write_nonsense, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    wait_until(lambda: b"sent bad-event" in box.log.read_bytes(), "they are read")
    box.stop()
    for thread in threads:
        thread.join()
    for one in (player, *writers):
        one.close()
    box.start()
    assert box.status()["accepted"] == 3, "the play has its e, s and gab"
    box.stop()


def _write_nonsense(player: PlayerConnection) -> None:
    with contextlib.suppress(OSError):
        while True:
            player.sock.sendall(b"{}\n" * 5000)


def test_fast_players_are_read_more_slowly(tmp_path: Path) -> None:
    """Beyond max_events_per_s the socket is read later; nothing is lost."""

    async def main() -> None:
        async with serving(House(tmp_path, max_events_per_s=10)) as house:
            player = house.connect()
            player.write(*[ITEM] * 100)
            await settle(2)
            player.write(ITEM | {"id": "second"})
            await settle(5)
            assert player.replies() == []
            await settle(10)
            assert player.replies() == [{"ack": "second"}]
            assert len(house.pings()) == 101

    run(main)


def test_many_small_pieces_are_one_line(tmp_path: Path) -> None:
    """A line may arrive byte by byte."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            for byte in json.dumps(ITEM | {"id": 1}).encode() + b"\n":
                player.sock.send(bytes([byte]))
                await trio.sleep(0.01)
            await settle()
            assert player.replies() == [{"ack": 1}]

    run(main)


def test_connections_that_only_tick_share_their_wake_ups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However their ticks are spread, all are read at the same moments, twice a second."""
    read_at_s: list[float] = []
    take = Dialogue.take

    def noted(dialogue: Dialogue, data: bytes, moment: Moment) -> None:
        read_at_s.append(trio.current_time())
        take(dialogue, data, moment)

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            players = [house.connect() for _ in range(3)]
            for player in players:
                player.write(ITEM)
            await settle()
            for n in range(90):
                players[n % 3].write(tick(n / 30))
                await trio.sleep(1 / 30)
                if n == 30:
                    read_at_s.clear()
        *while_they_tick, _, _, _ = read_at_s  # The last are those of the stop.
        assert len(while_they_tick) >= 5
        assert not any(moment_s % 0.5 for moment_s in while_they_tick)

    monkeypatch.setattr(Dialogue, "take", noted)
    run(main)


def test_stopping_takes_what_was_written_before(tmp_path: Path) -> None:
    """Lines that are in the kernel when the daemon is told to stop are handled, and plays ended."""

    async def main() -> None:
        house = House(tmp_path)
        async with serving(house):
            player = house.connect()
            player.write(ITEM, tick(0))
            await settle(0.1)
            player.write(tick(1), {"event": "adImpression"})
        assert house.kinds() == "e s i gab"

    run(main)


# --- who plays ------------------------------------------------------------------------------------


def test_a_play_waits_until_its_player_is_known(tmp_path: Path) -> None:
    """Meanwhile nothing is lost, nothing changes places, and every ping keeps its moment."""

    async def main() -> None:
        async with serving(House(tmp_path, SlowCaller)) as house:
            player = house.connect()
            player.write({"event": "hello", "id": 0}, ITEM | {"id": 1}, tick(0), REMOVE, ITEM | {"id": 2})
            await settle()
            assert (player.replies(), house.kinds()) == ([{"ack": 0}], "")
            player.write({"event": "hello", "app": {"id": "other"}}, ITEM | {"id": 3})
            await settle(10)
            assert player.replies() == [{"ack": 1}, {"ack": 2}, {"ack": 3}]
            pings = house.pings()
            assert [kind for kind, _ in pings] == ["e", "s", "gab", "e", "e"]
            assert [values["bun"] for _, values in pings] == ["found"] * 4 + ["other"]
            moments_ms = [int(values["sa"]) for _, values in pings]
            assert len(set(moments_ms[:4])) == 1

    run(main)


def test_a_stop_does_not_wait_for_a_look(tmp_path: Path) -> None:
    """What was written before the stop is on flash, even if nobody ever learns who wrote it."""

    async def main() -> None:
        async with serving(House(tmp_path, EndlessCaller)) as house:
            player = house.connect()
            player.write(ITEM, tick(0))
            await settle()
            player.write(REMOVE, ITEM, tick(0))
        pings = moody_spool(tmp_path / "state")
        entries = pings.waiting(100)
        pings.close()
        assert " ".join(entry.kind for entry in entries) == "e s gab e s gab"

    run(main)


def test_a_last_line_without_its_end_counts(tmp_path: Path) -> None:
    """A whole object at the end of the connection is an event like any other."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            player = house.connect()
            player.write(ITEM, tick(0))
            player.sock.sendall(b'{"event":"complete"}')
            player.close()
            await settle()
            assert house.kinds() == "e s t gab"

    run(main)
