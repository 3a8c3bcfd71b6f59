"""Connections: what players write over a real socket becomes pings and acks, in virtual time."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.house import ITEM, REMOVE, EndlessCaller, House, SlowCaller, serving, settle, tick, ticks
from tests.inline import START_MS, moody_spool, run

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
    """Neither a user's id nor a token is in any file; later plays carry the hash."""

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
