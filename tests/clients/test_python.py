"""`jwpingd.client`: a player's calls, through whatever becomes of the daemon."""

from __future__ import annotations

import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwpingd import client
from jwpingd.client import Client
from tests.clients.films import Bench, check, dated_film, now_ms, through_restarts
from tests.processes import wait_until


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clients' clock, ms of CLOCK_BOOTTIME."""
    return lambda at_ms: monkeypatch.setattr(client, "_now_ms", lambda: at_ms)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_a_play_survives_what_becomes_of_the_daemon(
    bench: Bench, set_clock: Callable[[int], None], seed: int
) -> None:
    """Killed, stopped and killed in mid-play: no event lost or doubled, each second counted once."""
    box, collector = bench
    box.start()
    events = dated_film()
    set_clock(events[0][0] - 1)
    with Client(str(box.player_socket), app={"id": "com.example.tv", "version": "1"}) as player:
        for at_ms, event in through_restarts(box, events, seed):
            set_clock(at_ms)
            player.event(str(event.pop("event")), **event, **key_of(event))
        set_clock(now_ms())
        player.close(wait_s=10)
        statistics = player.statistics()
    check(collector, box)
    box.stop()
    assert (statistics.n_dropped, statistics.n_refused, statistics.n_unacknowledged) == (0, 0, 0)
    assert statistics.n_connections == 4


@pytest.mark.slow
def test_short_plays_under_a_daemon_that_is_killed_all_the_time(bench: Bench) -> None:
    """kill -9 at random moments: each of many plays arrives once, whole, with its second and its ad."""
    box, collector = bench
    box.start()
    fate = random.Random(2026)
    player = Client(box.player_socket)
    media_ids = [f"{number:08d}" for number in range(9)]
    for number, media_id in enumerate(media_ids):
        player.playlist_item(media_id)
        for tick in range(11):
            player.time(tick / 10, duration=1.0)
            time.sleep(fate.uniform(0, 0.02))
            if number % 3 == 1 and tick == number % 11:
                box.kill()
                box.start()
        player.ad_impression()
        player.complete()
        if number % 3 == 0:
            time.sleep(fate.uniform(0, 0.005))
            box.kill()
            box.start()
    player.close(wait_s=20)
    assert player.statistics().n_unacknowledged == player.statistics().n_dropped == 0
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered")
    collector.stop()
    for media_id in media_ids:
        row = collector.report["media"][media_id]
        assert (row["setups"], row["plays"], row["ad_impressions"], row["watched_s"]) == (1, 1, 1, 1), (
            media_id
        )


@pytest.mark.slow
def test_a_daemon_that_does_not_read_holds_nobody_up(bench: Bench) -> None:
    """With the daemon stopped in its tracks every call returns, and once it goes on it gets all."""
    box, collector = bench
    box.start()
    assert box.process is not None
    player = Client(str(box.player_socket))
    player.playlist_item("9u6OHIO4", title="x" * 1000)
    box.process.send_signal(signal.SIGSTOP)
    longest_s = 0.0
    for number in range(1, 2001):  # more than the kernel takes
        began_s = time.monotonic()
        player.event("time", position=number / 1000, duration=60)
        longest_s = max(longest_s, time.monotonic() - began_s)
    assert player.statistics().n_unacknowledged > 1400
    box.process.send_signal(signal.SIGCONT)
    player.close(wait_s=20)
    statistics = player.statistics()
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered")
    box.stop()
    pings = collector.stop()
    print(f"longest call: {1000 * longest_s:.1f} ms")
    assert longest_s < 5  # A blocked call would never have returned; this only catches the absurd.
    assert (statistics.n_dropped, statistics.n_unacknowledged) == (0, 0)
    assert sum(int(ping["params"].get("ti", 0)) for ping in pings) == 1  # 0.001 to 2 s, and nothing twice


@pytest.mark.slow
def test_beyond_the_buffer_the_oldest_is_dropped_and_counted(
    bench: Bench, set_clock: Callable[[int], None]
) -> None:
    """A daemon that comes late gets the item and what fitted; the rest is counted, not forgotten."""
    box, collector = bench
    player = Client(str(box.player_socket), buffer_bytes=2000)
    events = [(at_ms, event) for at_ms, event in dated_film() if event["event"] in ("playlistItem", "time")]
    for at_ms, event in events:
        set_clock(at_ms)
        player.event(str(event.pop("event")), **event)
    statistics = player.statistics()
    assert not statistics.is_connected and "cannot connect to" in statistics.last_error
    assert statistics.n_dropped + statistics.n_unacknowledged == statistics.n_events == len(events)
    assert 20 < statistics.n_unacknowledged < 50
    box.start()
    set_clock(now_ms())
    player.close(wait_s=10)
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered")
    box.stop()
    pings = collector.stop()
    assert player.statistics().n_unacknowledged == 0
    assert {ping["params"]["t"] for ping in pings} == {"Elephants Dream"}
    assert Counter(ping["params"]["e"] for ping in pings) >= Counter(["e", "s", "gab"])


# --- against sockets of the test ------------------------------------------------------------------


def lines_of(connection: socket.socket) -> list[dict[str, Any]]:
    return [json.loads(line) for line in connection.recv(1 << 20).splitlines()]


def test_who_plays_what_comes_first_after_a_cut(
    listener: socket.socket, set_clock: Callable[[int], None]
) -> None:
    """After a cut: all that hello said, the item with its key, then what is not acknowledged."""
    set_clock(1_000_000)
    player = Client(listener.getsockname(), app={"id": "com.example.tv"}, user={"id": 7})
    first, _ = listener.accept()
    player.hello(user=None, advertising=None, consent="anonymous")
    player.playlist_item("9u6OHIO4", title="T", play="k")
    player.pause()
    said = lines_of(first)
    assert [line["event"] for line in said] == ["hello", "hello", "playlistItem", "pause"]
    assert [line["at"] for line in said] == [1000.0, 1000.001, 1000.002, 1000.003]
    first.sendall(b'{"ack":%d}\n' % said[-1]["id"])
    set_clock(1_100_000)  # what was acknowledged long ago is said no more
    player.time(1.0, duration=10)
    assert [line["position"] for line in lines_of(first)] == [1.0]
    first.close()
    set_clock(1_100_500)
    player.time(2.0, duration=10)
    second, _ = listener.accept()
    hello, item, *ticks = lines_of(second)
    assert hello["app"] == {"id": "com.example.tv"}
    assert (hello["user"], hello["advertising"], hello["consent"]) == (None, None, "anonymous")
    assert (item["mediaid"], item["title"], item["play"]) == ("9u6OHIO4", "T", "k")
    assert [tick["position"] for tick in ticks] == [1.0, 2.0]
    assert item["at"] == ticks[0]["at"] - 0.001
    second.close()
    player.close()


def test_a_play_that_is_over_is_not_said_again(
    listener: socket.socket, set_clock: Callable[[int], None]
) -> None:
    """Once its end is acknowledged nothing of a play is kept."""
    set_clock(1_000_000)
    player = Client(listener.getsockname())
    player.hello()
    first, _ = listener.accept()
    player.playlist_item("9u6OHIO4")
    player.complete()
    first.sendall(b'{"ack":3}\n')
    player.pump()
    player.playlist_item("AbCdEf12")
    first.close()
    set_clock(1_001_000)
    player.pump()
    second, _ = listener.accept()
    assert [line.get("mediaid") for line in lines_of(second)] == [None, "AbCdEf12"]
    second.close()
    player.close()


def test_what_is_too_old_to_be_believed_is_dropped(tmp_path: Path, set_clock: Callable[[int], None]) -> None:
    """An event of more than ten minutes ago would count as one of now: better none."""
    player = Client(str(tmp_path / "nobody"))
    set_clock(1_000_000)
    player.playlist_item("9u6OHIO4")
    player.time(1.0)
    set_clock(1_700_000)
    player.time(2.0)
    assert (player.statistics().n_dropped, player.statistics().n_unacknowledged) == (2, 1)
    player.close()


class Rude:
    """What a player must not pass, and no class of its own can stop."""

    def __str__(self) -> str:
        raise RuntimeError("rude")


NONSENSE: list[Any] = [
    None,
    Rude(),
    {1: Rude()},
    b"x",
    {Rude()},
    float("nan"),
    "\ud800",
    "x" * 20_000,
    [[]] * 9,
]


@pytest.mark.parametrize("path", [None, 7, "", "x" * 200, "a\0b", "/", "/proc/nothing"])
def test_no_call_raises(path: Any) -> None:
    """Whatever it is given, and wherever the socket is said to be."""
    player = Client(path, app=Rude())
    for value in NONSENSE:
        player.playlist_item(value, play=value, title=value)
        player.time(value, duration=value)
        player.seek(value)
        player.playback_rate_changed(value)
        player.hello(user=value)
        player.event(value)
    recursive: dict[str, Any] = {}
    recursive["self"] = recursive
    player.event("hello", more=recursive)
    assert player.statistics().n_refused > 10
    player.close(wait_s=Rude())  # type: ignore[arg-type]
    player.time(1.0)
    player.pump()


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0" * 70_000, b"[" * 60_000 + b"\n", b'{"ack":"x"}\n{"ack":1e9}\n[]\n{"ack":-5}\n{"error":{}}\n'],
)
def test_no_answer_raises(listener: socket.socket, answer: bytes) -> None:
    """What answers need not be jwpingd, nor stay."""
    player = Client(listener.getsockname(), app={})
    for _ in range(3):
        connection, _ = listener.accept()
        connection.setblocking(False)
        with suppress(OSError):
            connection.sendall(answer)
        player.time(1.0)
        connection.close()
        player.time(2.0)
        player._next_try_ms = 0
        player.pump()
    assert player.statistics().n_unacknowledged == 7
    player.close()


def test_threads_may_share_a_client(listener: socket.socket) -> None:
    """No event is lost or torn between threads."""
    player = Client(listener.getsockname())

    def play() -> None:
        for position in range(200):
            player.time(position)

    threads = [threading.Thread(target=play) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection, _ = listener.accept()
    data = b""
    with connection:
        while data.count(b"\n") < 800:
            player.pump()
            data += connection.recv(1 << 20)
    said = [json.loads(line) for line in data.splitlines()]
    assert sorted(line["position"] for line in said) == sorted(list(range(200)) * 4)
    assert [line["at"] for line in said] == sorted({line["at"] for line in said})
    player.close()


def test_an_error_of_the_daemon_is_told(listener: socket.socket) -> None:
    """A developer finds out why an event was refused."""
    player = Client(listener.getsockname(), app={})
    connection, _ = listener.accept()
    connection.sendall(b'{"error":"bad-event","message":"mediaid must be 8 of [0-9A-Za-z]","line":1}\n')
    player.pump()
    assert player.statistics().n_refused == 1
    assert player.statistics().last_error == "bad-event: mediaid must be 8 of [0-9A-Za-z]"
    connection.close()
    player.close()


def test_the_file_stands_alone(tmp_path: Path) -> None:
    """The client can be copied into a player: it needs the standard library and nothing of ours."""
    copy = tmp_path / "jwping.py"
    shutil.copy(client.__file__, copy)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import jwping; jwping.Client('/nobody').close(); "
        "print([name for name in sys.modules if name.startswith(('jwpingd', 'trio', 'httpx'))])"
    )
    run = subprocess.run(
        [sys.executable, "-ISc", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert (run.stdout, run.stderr) == ("[]\n", "")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["time", "playlistItem", "remove", "hello", "ack", "write", "cut"]),
            st.integers(0, 40),
        )
    )
)
def test_what_is_kept_is_all_that_may_be_missing(steps: list[tuple[str, int]]) -> None:
    """In any order of events, acks, writes and cuts: each event is kept, acknowledged, or counted."""
    log = client._Log(400)
    written: set[int] = set()
    acknowledged = 0
    for number, (step, value) in enumerate(steps):
        if step == "ack":
            acknowledged = max(acknowledged, min(value, max(written, default=0)))
            log.acknowledge(acknowledged)
        elif step == "write":
            log.next_lines(value)
            written |= {line.number for line in log._written}
        elif step == "cut":
            log.rewind()
        else:
            log.add(step, b'{"event":"%s"' % step.encode(), number)
        lines = [*log._written, *log._unwritten]
        kept = [line.number for line in lines]
        assert kept == list(range(log.n_added + 1 - len(kept), log.n_added + 1))
        assert log._n_bytes == sum(len(line.body) for line in lines) <= 400
        assert log.n_unacknowledged == sum(each > acknowledged for each in kept)
        assert log.n_added - acknowledged - log.n_unacknowledged <= log.n_dropped


def key_of(event: dict[str, object]) -> dict[str, str]:
    return {"play": "k"} if "mediaid" in event else {}
