"""The tap: an operator sees what passes, a recording replays to the same pings, and nobody is held up."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import trio

from jwpingd import ping, wire
from jwpingd.events import Hello, PlayEvent
from jwpingd.replay import Replayed, replay
from jwpingd.server.tap import MAX_HELD, Record, Tap
from jwpingd.wire import LineReader, Received
from tests.house import ITEM, REMOVE, House, serving, settle, tick
from tests.inline import run

LINES: list[dict[str, Any]] = [
    ITEM | {"feedid": "ON53iLoH", "play": "k", "duration": 300, "live": False},
    ITEM | {"live": True},
    tick(12.345),
    tick(1, None),
    {"event": "seek", "offset": 4.5},
    {"event": "seek"},
    {"event": "seeked"},
    {"event": "play"},
    {"event": "pause"},
    {"event": "playbackRateChanged", "playbackRate": -2.5},
    {"event": "adImpression"},
    {"event": "complete"},
    REMOVE,
]


async def watch(tap: Tap, into: list[Record]) -> None:
    async with aclosing(tap.watch()) as watching:
        async for record in watching:
            into.append(record)


def lines_of(records: list[Record]) -> list[bytes]:
    return [json.dumps(record["line"]).encode() for record in records if record["kind"] == "event"]


def test_a_recorded_line_is_the_event_that_was_heard() -> None:
    """Reading what was recorded of an event gives the event, with the player that it is told of."""
    for line in LINES:
        (heard,) = LineReader(1 << 14).feed(json.dumps(line | {"player": "p"}).encode() + b"\n")
        assert isinstance(heard, Received) and not isinstance(heard.event, Hello)
        event: PlayEvent = heard.event
        written = json.dumps(wire.play_line(event, player="p", at_ms=12_345)).encode() + b"\n"
        (read,) = LineReader(1 << 14).feed(written)
        assert isinstance(read, Received)
        assert (read.event, read.at_ms) == (event, 12_345)


def test_a_recorded_hello_names_nobody() -> None:
    """A user is recorded as the hash that pings carry, and an advertising id not at all."""
    hello = {
        "app": {"id": "a.b", "version": "1", "configid": "9iG2vRc1"},
        "player": {"version": "3"},
        "consent": "full",
    }
    secrets = {"user": {"id": "4711-secret"}, "advertising": {"id": "secret-too", "limit": 0}}
    (heard,) = LineReader(1 << 14).feed(json.dumps({"event": "hello", **hello, **secrets}).encode() + b"\n")
    assert isinstance(heard, Received) and isinstance(heard.event, Hello)
    line = wire.hello_line(heard.event, user_hash="f" * 40)
    assert line == {"event": "hello", **hello, "user": {"hash": "f" * 40}}


def test_a_recording_replays_to_the_same_pings(tmp_path: Path) -> None:
    """Events of two connections, one of them cut and resumed, make the same pings in virtual time."""
    records: list[Record] = []

    async def main() -> None:
        async with serving(House(tmp_path)) as house, trio.open_nursery() as nursery:
            nursery.start_soon(watch, house.plays.tap, records)
            await settle()
            first, second = house.connect(), house.connect()
            first.write(ITEM | {"play": "key"}, tick(0))
            second.write(ITEM | {"mediaid": "AbCdEf12"}, tick(5))
            for position in range(1, 40):
                await trio.sleep(1)
                first.write(tick(position))
                second.write(tick(5 + position))
            first.write({"event": "seek", "offset": 200}, {"event": "seeked"})
            await settle(2)
            first.close()
            await settle()
            again = house.connect()
            again.write(ITEM | {"play": "key"}, tick(201), {"event": "complete"})
            second.close()
            again.close()
            await settle()
            nursery.cancel_scope.cancel()

    run(main)
    made = [ping.read(record["target"]) for record in records if record["kind"] == "ping"]
    replayed = [each for each in replay(lines_of(records)) if isinstance(each, Replayed)]
    keys = replayed[0].parameters.keys() | {"pw", "ti", "q", "vd"}
    mine = sorted(json.dumps({key: values[key] for key in keys if key in values}) for _, values in made)
    theirs = sorted(
        json.dumps({key: each.parameters[key] for key in keys if key in each.parameters}) for each in replayed
    )
    assert mine == theirs and len(made) >= 10


def test_what_was_refused_is_told_without_its_text(tmp_path: Path) -> None:
    """A line that is not taken shows as the kind of mistake and its number; its text may hold a secret."""
    records: list[Record] = []

    async def main() -> None:
        async with serving(House(tmp_path)) as house, trio.open_nursery() as nursery:
            nursery.start_soon(watch, house.plays.tap, records)
            await settle()
            player = house.connect()
            player.write(ITEM, b'{"event":"hello","user":{"id":["secret"]}}', b"secret")
            await settle()
            player.close()
            nursery.cancel_scope.cancel()

    run(main)
    refused = [record for record in records if record["kind"] == "refused"]
    assert [(record["error"], record["line"]) for record in refused] == [("bad-event", 2), ("bad-json", 3)]
    assert "secret" not in json.dumps(records)


def test_a_slow_watcher_misses_and_is_told(tmp_path: Path) -> None:
    """A watcher that does not keep up is told how much it missed; memory stays bounded, players go on."""
    seen: list[Record] = []

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            watching = house.plays.tap.watch()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_take_one, watching, seen)
                await settle()
                player = house.connect()
                player.write(ITEM)
                for second in range(3):
                    player.write(*[tick(second)] * 1000)
                    await settle(2)  # A thousand lines take a second, and the pauses between turns.
            player.close()
            async for record in watching:
                seen.append(record)
                if record["kind"] == "missed":
                    break
            await watching.aclose()

    run(main)
    n_records = 1 + 3000 + 2  # the item, its ticks, and the pings e and s
    assert len(seen) == 1 + MAX_HELD + 1
    assert len(seen) - 1 + seen[-1]["n"] == n_records


async def _take_one(watching: Any, seen: list[Record]) -> None:
    seen.append(await anext(watching))


def test_nothing_is_made_for_nobody() -> None:
    """A watcher that has gone is forgotten."""

    async def main() -> None:
        tap = Tap()
        watching = tap.watch()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(anext, watching)
            await trio.testing.wait_all_tasks_blocked()
            assert len(tap._watchers) == 1
            nursery.cancel_scope.cancel()
        assert not tap._watchers

    run(main)
