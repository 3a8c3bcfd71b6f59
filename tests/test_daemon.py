"""The daemon end to end: real processes, real sockets, real kill -9."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from jwpingd import film
from tests.processes import (
    ANALYTICS_ID,
    BoxUnderTest,
    CollectorProcess,
    PlayerConnection,
    check_account,
    free_port,
    wait_until,
)

pytestmark = pytest.mark.slow

ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream", "feedid": "ON53iLoH"}
HELLO = {
    "event": "hello",
    "app": {"id": "com.example.tv", "version": "2.4.1"},
    "player": {"version": "1.22"},
    "user": {"id": "viewer-4711"},
}
FAST = ("uplink.max_per_s=0", "uplink.retry_first_s=0.05", "uplink.retry_max_s=0.2")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[BoxUnderTest]:
    """A box that delivers as fast as it can."""
    under_test = BoxUnderTest(tmp_path, free_port(), *FAST)
    yield under_test
    if under_test.process is not None and under_test.process.poll() is None:
        under_test.kill()


def deliver_all(box: BoxUnderTest) -> None:
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered", patience_s=60)


def held_back_film() -> tuple[list[dict[str, Any]], int]:
    """A film of five minutes that ended just now, and the wall clock at its start, ms."""
    events = film.events("9u6OHIO4", "Elephants Dream", 300.0, rate=2.0, feed_id="ON53iLoH")
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    start_s = now_s - film.length_s(events) - 0.1
    start_ms = round((time.time() - (now_s - start_s)) * 1000)
    return [event | {"at": start_s + film.at_s(event)} for event in events], start_ms


def test_a_film_arrives_whole_with_all_that_is_known(box: BoxUnderTest) -> None:
    """Events held back with `at` become e s 32×t gab with media, app, user, player and the right sa."""
    collector = CollectorProcess(box.port)
    box.start()
    events, start_ms = held_back_film()
    player = box.connect()
    player.send_and_wait(HELLO, *events)
    deliver_all(box)
    player.close()
    pings = sorted(
        collector.stop(), key=lambda made: (int(made["params"]["sa"]), made["params"].get("ti") == "0")
    )
    params = [made["params"] for made in pings]
    assert Counter(of["e"] for of in params) == {"e": 1, "s": 1, "t": 32, "gab": 1}
    assert not [made["violations"] for made in pings if made["violations"]]
    constant = {
        "aid": ANALYTICS_ID, "id": "9u6OHIO4", "t": "Elephants Dream", "fed": "ON53iLoH", "pss": "1",
        "bun": "com.example.tv", "av": "2.4.1", "epv": "1.22", "oos": "Web", "sdk": "0",
        "oaid": sha1("viewer-4711"),
    }  # fmt: skip
    for of in params:
        assert constant.items() <= of.items()
    assert len({of["emi"] for of in params} | {of["pli"] for of in params}) == 2
    assert sum(int(of.get("ti", 0)) for of in params) == 300
    assert abs(int(params[0]["sa"]) - start_ms) < 1000
    for of in params:
        if of["e"] == "t":  # at double speed
            expected_ms = start_ms + 500 + int(of["pw"]) * 300_000 / 128 / 2
            assert abs(int(of["sa"]) - expected_ms) < 1000
    assert box.stop() < 2


def test_what_was_acknowledged_offline_survives_a_kill(box: BoxUnderTest) -> None:
    """Offline, kill -9, restart, online: every ping arrives, and what was playing gets its gab."""
    box.start()
    player = box.connect()
    player.send_and_wait(HELLO, ITEM, {"event": "time", "position": 0, "duration": 300})
    assert box.status()["waiting"] == 2
    box.kill()
    player.close()
    box.start()
    assert box.status()["waiting"] == 3
    collector = CollectorProcess(box.port)
    deliver_all(box)
    account = box.status()
    box.stop()
    assert sorted(made["params"]["e"] for made in collector.stop()) == ["e", "gab", "s"]
    assert account["accepted"] == account["delivered"] == 3


def test_fifty_kills_lose_no_acknowledged_ping(box: BoxUnderTest) -> None:
    """kill -9 at random moments under load, a collector that fails or is down: 0 acknowledged pings lost."""
    fate, weather = random.Random(2026), ("--fail", "429:0.1", "--fail", "500:0.1", "--fail", "503:0.1")
    acknowledged, killed_ms = set[str](), list[float]()
    arrived: list[dict[str, Any]] = []
    collector: CollectorProcess | None = None
    for number in range(50):
        if number % 10 == 0:
            collector = CollectorProcess(box.port, *weather, "--lose-answer", "0.02", "--seed", str(number))
        if number % 10 == 7 and collector is not None:
            arrived += collector.stop()
            collector = None
        box.start()
        acknowledged |= write_under_load(box, f"round {number}", fate.uniform(0.02, 0.4))
        box.kill()
        killed_ms.append(time.time() * 1000)
    if collector is not None:
        arrived += collector.stop()
    final = CollectorProcess(box.port)
    box.start()
    deliver_all(box)
    account = box.status()
    box.stop()
    arrived += final.stop()
    titles = {made["params"]["t"] for made in arrived if made["params"]["e"] == "e"}
    assert len(acknowledged) > 200
    assert acknowledged <= titles
    check_account(account)
    causes = causes_of_duplicates(arrived, killed_ms)
    print(f"{len(acknowledged)} acknowledged, 0 lost, {len(arrived)} arrivals, duplicates: {dict(causes)}")
    assert causes["answer lost"] <= 5 + 0.06 * len(arrived)  # The collector loses 2 of 100 answers.


def write_under_load(box: BoxUnderTest, name: str, seconds: float) -> set[str]:
    """Items as fast as they are acknowledged; the titles whose acks were read."""
    player, titles = box.connect(), set[str]()
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        title = f"{name} item {len(titles)}"
        player.send_and_wait(ITEM | {"title": title})
        titles.add(title)
    player.send(ITEM | {"title": f"{name} unacknowledged"})
    player.close()
    return titles


def causes_of_duplicates(arrived: list[dict[str, Any]], killed_ms: list[float]) -> Counter[str]:
    """Why pings arrived again.  All are byte-identical, so that (aid emi pli e sa pw) finds them.

    Either the process was killed between delivery and the sync of its delete, or an answer was lost.
    """
    causes, first_ms = Counter[str](), dict[str, float]()
    for made in sorted(arrived, key=lambda made: float(made["at_ms"])):
        before_ms = first_ms.setdefault(made["target"], made["at_ms"])
        if before_ms != made["at_ms"]:
            was_killed = any(before_ms <= moment_ms <= made["at_ms"] for moment_ms in killed_ms)
            causes["killed before the delete was synced" if was_killed else "answer lost"] += 1
    keys = {
        tuple(made["params"].get(key) for key in ("aid", "emi", "pli", "e", "sa", "pw")) for made in arrived
    }
    assert len(keys) == len(first_ms)
    return causes


def test_hostile_players_hurt_nobody_else(box: BoxUnderTest) -> None:
    """Ten thousand hostile lines, 190 connections, a deaf writer and 40 MB without a newline at once."""
    box.start()
    good = box.connect()
    good.send_and_wait(HELLO, ITEM, {"event": "time", "position": 0, "duration": 300})
    wait_until(lambda: box.status()["uplink"]["n_failures"] > 0, "what delivery needs is in memory")
    before_bytes = box.rss_bytes()
    hostile = [box.connect() for _ in range(31)]
    refused = [box.connect() for _ in range(159)]
    for number, player in enumerate(hostile):
        player.sock.setblocking(False)
        player.garbage = hostile_bytes(number)  # type: ignore[attr-defined]
    latencies_s = []
    for _ in range(20):
        for player in hostile:
            push(player)
        began_s = time.monotonic()
        good.send_and_wait({"event": "adImpression"})
        latencies_s.append(time.monotonic() - began_s)
    # Half of them is far below the worst that a busy machine makes of one.
    assert statistics.median(latencies_s) < 1
    assert refused[-1].reply()["error"] == "too-many-connections"
    assert box.rss_bytes() - before_bytes < 10_000_000
    for player in (*hostile, *refused, good):
        player.close()
    assert box.stop() < 2
    log = box.log.read_text()
    assert "Traceback" not in log and "internal error" not in log
    assert len(log.splitlines()) < 20


def hostile_bytes(number: int) -> bytes:
    """What player `number` has to say; together some ten thousand lines and 40 MB without an end."""
    fate = random.Random(number)
    if number == 0:
        return b'{"event":"' + b"x" * 40_000_000
    if number == 1:
        return b'{"event":"no such event"}\n{"event":"time"}\n' * 5_000  # and it never reads
    lines = [
        bytes(fate.randrange(256) for _ in range(fate.randrange(200))).replace(b"\n", b""),
        b"[" * fate.randrange(1, 16_000),
        b'{"event":"time","position":1e999,"duration":-Infinity}',
        b'{"event":"playlistItem","mediaid":"' + b"\\u0000" * 8 + b'"}',
        b'{"event":"hello","user":{"token":"' + b"a" * 9000 + b'"}}',
        b'{"event":"seek","offset":' + b"9" * 5000 + b"}",
        b'{"id":' + b'{"a":' * 3000 + b"1",
        b"\xff\xfe\x00" * 100,
        b"y" * 20_000,
        b'{"event":"playlistItem","mediaid":"AbCdEf12","player":"' + str(fate.random()).encode() + b'"}',
    ]
    return b"\n".join(fate.choice(lines) for _ in range(350)) + b"\n"


def push(player: PlayerConnection) -> None:
    """Write as much of the player's garbage as the kernel takes."""
    garbage: bytes = player.garbage  # type: ignore[attr-defined]
    sent = 0
    try:
        while sent < min(len(garbage), 4_000_000):
            sent += player.sock.send(garbage[sent : sent + 262_144])
    except BlockingIOError:
        pass
    player.garbage = garbage[sent:]  # type: ignore[attr-defined]


def test_sigterm_ends_within_two_seconds_whatever_the_network_does(tmp_path: Path) -> None:
    """A collector that takes connections and never answers delays no stop, and costs no ping."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as black_hole:
        box = BoxUnderTest(tmp_path, black_hole.getsockname()[1], *FAST)
        box.start()
        player = box.connect()
        player.send_and_wait(ITEM, {"event": "time", "position": 0, "duration": 300})
        wait_until(lambda: box.status()["uplink"]["n_in_flight"] > 0, "a request is on its way")
        assert box.stop() < 2
        player.close()
    box.start()
    assert box.status()["waiting"] == 3
    box.stop()


def test_over_tls_the_collectors_date_vouches_for_the_clock(tmp_path: Path) -> None:
    """With a private CA and an unproven clock: the Date of a verified answer lets the pings go."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    port = free_port()
    collector = CollectorProcess(port, "--certfile", str(tmp_path / "server.pem"))
    box = BoxUnderTest(tmp_path, port, f"tls.ca_file={tmp_path / 'ca.pem'}", *FAST)
    box.settings += [f"collector_url=https://localhost:{port}", "clock.trust=auto"]
    box.start()
    with closing(box.connect()) as player:
        player.send_and_wait(ITEM)
    deliver_all(box)
    assert box.status()["clock"]["state"] == "trusted"
    box.stop()
    (made,) = collector.stop()
    assert abs(int(made["params"]["sa"]) - made["at_ms"]) < 60_000


def test_sighup_reads_the_configuration_again(box: BoxUnderTest) -> None:
    """A good configuration takes effect for later plays; a bad one is refused and the old one stays."""
    etc = box.directory / "etc"
    etc.mkdir()
    file = etc / "config.toml"
    file.write_text('[app]\nid = "com.example.first"\n')
    collector = CollectorProcess(box.port)
    box.start()
    for text, said in (
        ('[app]\nid = "com.example.second"\n', "was read again"),
        ("[app]\nidd = 1\n", "from before stays"),
    ):
        with closing(box.connect()) as player:
            player.send_and_wait(ITEM)
        file.write_text(text)
        assert box.process is not None
        n_said = box.log.read_text().count(said)
        box.process.send_signal(signal.SIGHUP)
        wait_until(lambda said=said, n=n_said: box.log.read_text().count(said) > n, said)  # type: ignore[misc]
    with closing(box.connect()) as player:
        player.send_and_wait(ITEM)
    deliver_all(box)
    box.stop()
    apps = [made["params"]["bun"] for made in collector.stop()]
    assert sorted(apps) == ["com.example.first", "com.example.second", "com.example.second"]
    assert f"{file}:2" in box.log.read_text() and "did you mean" in box.log.read_text()


def test_what_waits_for_the_next_start_is_what_differs_from_this_one(box: BoxUnderTest) -> None:
    """Settings that a running daemon does not take are named until they are as they were at its start."""
    (box.directory / "etc").mkdir()
    box.start()
    assert box.process is not None
    another = "[session]\nresume_s = 9\n"
    for n_read, text in enumerate((another, another + "[app]\nid = 'a.b'\n", "[app]\nid = 'a.b'\n"), 1):
        (box.directory / "etc/config.toml").write_text(text)
        box.process.send_signal(signal.SIGHUP)
        wait_until(lambda n=n_read: box.log.read_text().count("was read again") == n, "it is read")  # type: ignore[misc]
    box.stop()
    said = re.findall("was read again|at the next start: .*", box.log.read_text())
    again, waits = "was read again", "at the next start: session.resume_s"
    assert said == [again, waits, again, waits, again]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=str)
def test_a_signal_during_the_start_is_heeded_after_it(box: BoxUnderTest, number: signal.Signals) -> None:
    """From early on signals are held until somebody heeds them: the reload is done, the stop is clean."""
    process = caught_while_starting(box, number)
    process.send_signal(number)
    if number == signal.SIGHUP:
        wait_until(lambda: "was read again" in box.log.read_text(), "it is heeded")
        box.stop()
    assert process.wait(20) == 0, box.log.read_text()


def caught_while_starting(box: BoxUnderTest, number: signal.Signals) -> subprocess.Popen[bytes]:
    """A daemon that holds the signal and does not heed it yet; tried again where we looked too late."""
    command = [sys.executable, "-m", "jwpingd", "run", "--set", f"analytics_id={ANALYTICS_ID}"]
    for _ in range(10):
        with box.log.open("wb") as log:
            process = box.process = subprocess.Popen(command, env=box.environment, stderr=log)
        wait_until(lambda: number in signals(process, "SigBlk") | signals(process, "SigCgt"), "it starts")  # noqa: B023
        if number in signals(process, "SigBlk"):
            return process
        box.kill()
    pytest.fail("it never holds the signal")


def signals(process: subprocess.Popen[bytes], kind: str) -> set[int]:
    """The signals of a kind in proc(5): SigBlk those that are held, SigCgt those that are heeded."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = int(status.partition(f"{kind}:")[2].split()[0], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def test_one_daemon_for_a_state_directory(box: BoxUnderTest) -> None:
    """A second daemon says who is in its way and ends; a stale socket is no obstacle."""
    box.start()
    second = run_command(box, "run", "--set", f"analytics_id={ANALYTICS_ID}")
    assert second.returncode == 1
    assert "another jwpingd" in second.stderr and "Traceback" not in second.stderr
    box.kill()
    assert box.player_socket.exists()
    box.start()
    box.stop()


def test_a_bad_configuration_ends_a_run_in_a_shell(box: BoxUnderTest) -> None:
    """Exit status 78, and every problem with its way out."""
    result = run_command(
        box, "run", "--set", "collector_url=http://example.com", "--set", "uplink.concurency=2"
    )
    assert result.returncode == 78
    for word in ("analytics_id", "collector_url", "uplink.concurency", "concurrency"):
        assert word in result.stderr


def test_a_bad_configuration_under_systemd_waits_for_a_good_one(box: BoxUnderTest) -> None:
    """The service stays up, names the error in STATUS, and starts on SIGHUP."""
    file = box.directory / "etc/config.toml"
    file.parent.mkdir()
    file.write_text("nonsense = 1\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(box.directory / "notify"))
        systemd.settimeout(20)
        environment = box.environment | {"NOTIFY_SOCKET": str(box.directory / "notify")}
        with subprocess.Popen([sys.executable, "-m", "jwpingd", "run"], env=environment) as process:
            assert b"nonsense" in systemd.recv(4096)
            file.write_text(
                f'analytics_id = "{ANALYTICS_ID}"\ncollector_url = "http://127.0.0.1:{box.port}"\n'
            )
            process.send_signal(signal.SIGHUP)
            while b"STATUS=ready" not in systemd.recv(4096):
                pass
            process.terminate()
            assert process.wait(20) == 0


def test_the_demo_needs_nothing_and_loses_nothing() -> None:
    """`jwpingd demo` shows the way of the data and ends with status 0, well within 30 s."""
    result = subprocess.run(
        [sys.executable, "-m", "jwpingd", "demo"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "0 lost" in result.stdout and "0 violations" in result.stdout


def test_replay_prints_one_object_a_ping(tmp_path: Path) -> None:
    """`jwpingd replay` takes plain logs and recorded plays, and names the file where there are several."""
    log = tmp_path / "log"
    log.write_text(
        "".join(json.dumps(event) + "\n" for event in (ITEM | {"at": 0.5}, {"event": "remove", "at": 2}))
    )
    command = [sys.executable, "-m", "jwpingd", "replay", str(log)]
    (line,) = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(line) == {
        "at": 0.5,
        "bucket": "jwplayer6",
        "params": {"id": "9u6OHIO4", "t": "Elephants Dream", "fed": "ON53iLoH", "pss": "1", "e": "e"},
    }
    several = [*command, str(log), "--start-ms", "1700000000000"]
    lines = subprocess.run(several, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [json.loads(line)["file"] for line in lines] == [str(log)] * 2
    assert json.loads(lines[0])["params"]["sa"] == "1700000000500"


def run_command(box: BoxUnderTest, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jwpingd", *arguments],
        env=box.environment | {"PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
