"""docs/clients/jwping.h: warnings are errors, sanitizers watch, the daemon is the real one."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jwpingd.events import AdvertisingClaim, Consent, Hello, PlaylistItem
from jwpingd.film import FilmEvent
from jwpingd.wire import Received
from tests.clients.c import compiled
from tests.clients.films import CLIENTS, Bench, check, dated_film, now_ms, through_restarts
from tests.processes import wait_until
from tests.socket_lines import read

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
RUDE_ANSWERS = [
    b"", b"\0" * 9000, b"[" * 9000 + b"\n", b'{"ack":"x"}\n{"ack":99999999999999999999}\n{"error":{}}\n',
]  # fmt: skip


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(HERE / "driver.c", tmp_path_factory.mktemp("c"))


class Driver:
    """A player in C that does what it is told, at moments it is told."""

    def __init__(self, program: Path, path: object) -> None:
        self.process = subprocess.Popen(
            [program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def do(self, at_ms: int, name: str, *values: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\t".join(map(str, (at_ms, name, *values))).encode() + b"\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b".\n", self.process.stderr and self.process.stderr.read()

    def kill(self) -> None:
        """End it; the sanitizers found nothing."""
        self.process.kill()
        assert self.process.communicate()[1] == b""

    def close(self) -> dict[str, Any]:
        """Its counts, once it has closed; the sanitizers found nothing."""
        out, err = self.process.communicate(timeout=60)
        assert (self.process.returncode, err) == (0, b"")
        counts: dict[str, Any] = json.loads(out)
        return counts


def arguments(event: FilmEvent) -> list[object]:
    names = {"playlistItem": ("mediaid", "title"), "time": ("position", "duration"), "seek": ("offset",)}
    return [event[key] for key in names.get(str(event["event"]), ())]


@pytest.mark.parametrize("seed", [3])
def test_a_play_survives_what_becomes_of_the_daemon(bench: Bench, driver: Path, seed: int) -> None:
    """Killed, stopped and killed in mid-play: no event lost or doubled, each second counted once."""
    box, collector = bench
    box.start()
    player = Driver(driver, box.player_socket)
    events = dated_film()
    player.do(events[0][0] - 1, "hello", "com.example.tv", "1")
    for at_ms, event in through_restarts(box, events, seed):
        player.do(at_ms, str(event["event"]), *arguments(event))
    player.do(now_ms(), "pump")
    counts = player.close()
    check(collector, box)
    box.stop()
    assert counts == {
        "has_all": 1, "n_events": len(events) + 1, "n_dropped": 0, "n_refused": 0, "n_connections": 4,
    }  # fmt: skip


def test_beyond_the_buffer_the_oldest_is_dropped_and_counted(tmp_path: Path, bench: Bench) -> None:
    """A daemon that comes late gets the item and what fitted; the rest is counted, not forgotten."""
    program = compiled(HERE / "driver.c", tmp_path, "-DJWPING_BUFFER_BYTES=8192")
    box, collector = bench
    player = Driver(program, box.player_socket)
    events = [(at_ms, event) for at_ms, event in dated_film() if event["event"] in ("playlistItem", "time")]
    for at_ms, event in events:
        player.do(at_ms, str(event["event"]), *arguments(event))
    box.start()
    player.do(now_ms(), "pump")
    counts = player.close()
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered")
    box.stop()
    pings = collector.stop()
    assert counts["has_all"] == 1 and 0 < counts["n_dropped"] < counts["n_events"] - 50
    assert {ping["params"]["t"] for ping in pings} == {"Elephants Dream"}
    assert {"e", "s", "gab"} <= {ping["params"]["e"] for ping in pings}


def test_every_line_is_json_of_the_protocol(tmp_path: Path, driver: Path, listener: socket.socket) -> None:
    """Whatever texts and numbers it is given; what cannot be said is refused and counted."""
    player = Driver(driver, tmp_path / "s")
    title = '"\\ \x01 \x7f é € 😀'
    player.do(1000, "playlistItem", "9u6OHIO4", title)
    connection, _ = listener.accept()
    player.do(1000, "time", "1.0005", "-")
    player.do(1001, "time", "-", "7")
    player.do(1002, "seek", "1e300")
    player.do(1003, "playlistItem", "9u6OHIO4", "x" * 5000)
    player.do(1004, "time", "0.25", "inf")
    player.do(1005, "logout")
    lines = [json.loads(line) for line in connection.recv(1 << 16).splitlines()]
    connection.close()
    listener.close()
    assert lines == [
        {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": title, "play": "k", "at": 1.0, "id": 1},
        {"event": "time", "position": 1.001, "at": 1.001},
        {"event": "time", "position": 0.25, "at": 1.004},
        {"event": "hello", "protocol": 1, "user": None, "consent": "anonymous", "at": 1.005, "id": 4},
    ]
    player.kill()


def test_it_can_say_all_that_the_protocol_has(tmp_path: Path, driver: Path, listener: socket.socket) -> None:
    """Every key of the page's tables, and the daemon takes each line as it is meant."""
    player = Driver(driver, tmp_path / "s")
    player.do(1000, "everything")
    connection, _ = listener.accept()
    data = connection.recv(1 << 16)
    connection.close()
    player.kill()
    said = {f"{key}.{each}" if each else key for line in data.splitlines() for key, each in keys_of(line)}
    assert said >= keys_of_the_page()
    results = [result.event for result in read(data) if isinstance(result, Received)]
    hello, limited, withdrawn, item, live = results[:5]
    assert isinstance(hello, Hello) and isinstance(item, PlaylistItem) and isinstance(live, PlaylistItem)
    assert (hello.app_id, hello.config_id, hello.consent) == ("com.example.tv", "2bl4leq6", Consent.FULL)
    assert hello.advertising == AdvertisingClaim("5f0c2a8e-3b1d-4c6f-9a7e-2d4b6c8e0f1a", is_limited=False)
    assert isinstance(limited, Hello) and limited.advertising == AdvertisingClaim(None, is_limited=True)
    assert (limited.app_id, limited.config_id) == (None, "2bl4leq6")
    assert isinstance(withdrawn, Hello) and withdrawn.advertising == AdvertisingClaim(None, is_limited=False)
    assert (item.is_live, live.is_live) == (False, True)


def keys_of(line: bytes) -> Iterator[tuple[str, str]]:
    """(key, "") of a line, and (key, key of the object that it has)."""
    for key, value in json.loads(line).items():
        yield key, ""
        yield from ((key, each) for each in (value if isinstance(value, dict) else ()))


def keys_of_the_page() -> set[str]:
    """What the tables of events and of hello have, but for what every event may carry."""
    page = (CLIENTS.parent / "protocol.md").read_text()
    keys = {"user.id", "user.hash", "user.token"}  # told in words
    for row in table(page, "| key | meaning |"):
        key = row[1].strip("` ")
        keys |= {key, *(f"{key}.{each}" for each in re.findall(r'"(\w+)"', row[2].partition("}")[0]))}
    for row in table(page, "| event | keys | when |"):
        keys |= set(re.findall(r"`(\w+)`", row[2]))
    return keys


def table(page: str, head: str) -> list[list[str]]:
    """The cells of each row; the first is empty."""
    rows = page.split(f"{head}\n")[1].partition("\n\n")[0].splitlines()
    return [row.split("|") for row in rows[1:]]


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0" * 9000, b"[" * 9000 + b"\n", b'{"ack":"x"}\n{"ack":99999999999999999999}\n{"error":{}}\n'],
)
def test_no_answer_harms(tmp_path: Path, driver: Path, listener: socket.socket, answer: bytes) -> None:
    """What answers need not be jwpingd, nor stay."""
    player = Driver(driver, tmp_path / "s")
    for number in range(3):
        player.do(1000 * number + 1000, "time", "1")
        connection, _ = listener.accept()
        connection.sendall(answer)
        player.do(1000 * number + 1400, "time", "2")
        connection.close()
        player.do(1000 * number + 1401, "pump")
    player.do(9000, "time", "3")
    listener.accept()[0].close()
    player.kill()
