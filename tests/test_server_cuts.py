"""Plays that outlive a cut: of the connection, of the player, of the daemon."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from jwpingd.server.finished import KEPT_MS, MAX_FINISHED, Finished, FinishedPlays, Owner, read
from jwpingd.server.held import MAX_HELD
from tests.house import ITEM, REMOVE, House, serving, settle, tick
from tests.inline import START_MS, run


def test_a_play_with_a_key_goes_on_over_another_connection(tmp_path: Path) -> None:
    """A play goes on under its key: the same ids, no second e or s, and no second lost or doubled."""

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
