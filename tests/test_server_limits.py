"""What no player may do to the daemon or to others: limits, bad lines, writers that never read or stop."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from jwpingd.errors import OutOfSequence
from jwpingd.moment import Moment
from jwpingd.server.connection import MAX_LINES_A_TURN, MIN_LINE_BYTES_COUNTED, READ_BYTES, _one_turn
from jwpingd.server.dialogue import Dialogue
from tests.house import ITEM, REMOVE, House, serving, settle, tick
from tests.inline import run
from tests.processes import BoxUnderTest, CollectorProcess, PlayerConnection, free_port, wait_until


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
