"""The log of a box whose store is full."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jwpingd.daemon.no_room import SUM_EVERY_MS, NoRoom
from tests.processes import BoxUnderTest, free_port


def test_dropping_is_told_when_it_begins_and_then_as_sums(caplog: pytest.LogCaptureFixture) -> None:
    """One line at the first, one an hour at most after it, one at the end, and together they tell of all."""
    now_ms = 1000
    no_room = NoRoom(lambda: now_ms, lambda: "the store is full")
    no_room.begin(7)
    no_room.note(7)
    assert not caplog.messages
    for n_dropped in range(8, 108):
        no_room.note(n_dropped)
    now_ms += SUM_EVERY_MS
    no_room.note(107)
    no_room.note(110)
    no_room.end(111)
    no_room.end(111)
    assert caplog.messages == [
        "the store is full: the oldest pings are dropped to make room, 1 so far",
        "the store is full: the oldest pings are dropped to make room, 99 more",
        "the store is full: the oldest pings are dropped to make room, 4 more",
    ]


@pytest.mark.slow
def test_a_full_store_is_in_the_log(tmp_path: Path) -> None:
    """A box that is offline for too long says so, and names the setting, but no ping of anybody's."""
    box = BoxUnderTest(tmp_path, free_port(), "spool.max_bytes=1048576")
    box.start()
    player = box.connect()
    item = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "private " * 100}
    while not box.status()["dropped"]["full"]:
        player.send_and_wait(*[item] * 100)
    [line] = [line for line in log_of(box) if "dropped" in line]
    assert line.startswith(
        "jwpingd: warning: the store is full (spool.max_bytes): the oldest pings are dropped"
    )
    player.send_and_wait(*[item] * 100)
    n_dropped = box.status()["dropped"]["full"]
    player.close()
    box.stop()
    box.start()
    assert box.status()["dropped"]["full"] == n_dropped
    box.stop()
    told = re.findall(r"dropped to make room, ([0-9]+)", box.log.read_text())
    assert len(told) == 2 and sum(map(int, told)) == n_dropped
    assert "private" not in "".join(log_of(box))


def log_of(box: BoxUnderTest) -> list[str]:
    """The lines of it."""
    return box.log.read_text().splitlines()
