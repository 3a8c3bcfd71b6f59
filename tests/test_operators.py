"""What an operator asks a running daemon: real processes, the commands as they are typed."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jwpingd import control
from jwpingd.cli import main
from jwpingd.control.serving import MAX_CLIENTS
from jwpingd.errors import NotRunning, OperatorError
from tests.processes import BoxUnderTest, CollectorProcess, free_port, wait_until

pytestmark = pytest.mark.slow

ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream"}


def tick(position: int) -> dict[str, Any]:
    return {"event": "time", "position": position, "duration": 300}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[BoxUnderTest]:
    """A running daemon whose collector does not answer."""
    box = BoxUnderTest(tmp_path, free_port())
    box.start()
    yield box
    box.kill()


def ask(box: BoxUnderTest, *command: str, status: int = 0) -> str:
    """What `jwpingd COMMAND` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "jwpingd", *command], env=box.environment, capture_output=True, text=True
    )
    assert done.returncode == status, done.stderr
    return done.stdout if not status else done.stderr


def test_status_in_every_form(box: BoxUnderTest) -> None:
    """The screen, the JSON and the metrics tell the same account, and the metrics parse."""
    player = box.connect()
    player.send_and_wait({"event": "hello", "app": {"id": "com.example.tv"}}, ITEM, tick(0))
    report = json.loads(ask(box, "status", "--json"))
    screen = ask(box, "status")
    assert f"{report['delivered']} delivered, 2 waiting" in screen
    assert "com.example.tv" in screen and "9u6OHIO4" in screen and "\x1b" not in screen
    families = {
        family.name: family for family in text_string_to_metric_families(ask(box, "status", "--prometheus"))
    }
    assert families["jwpingd_pings_accepted"].samples[0].value == report["accepted"] == 2
    assert families["jwpingd_pings_waiting"].samples[0].value == 2
    assert families["jwpingd_plays"].samples[0].value == 1
    player.close()


def test_the_queue_can_be_seen_and_exported(box: BoxUnderTest, tmp_path: Path) -> None:
    """Every waiting ping is listed and exported once, oldest first, and goes on waiting."""
    player = box.connect()
    player.send_and_wait(ITEM, tick(0), *[{"event": "adImpression"}] * 5)
    waiting = box.status()["waiting"]
    assert len(ask(box, "queue", "list").splitlines()) == waiting > 4
    listed = ask(box, "queue", "list", "--limit", "2", "--json").splitlines()
    assert [json.loads(line)["kind"] for line in listed] == ["e", "s"]
    ask(box, "queue", "export", str(tmp_path / "out.jsonl"))
    exported = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in exported] == sorted({row["id"] for row in exported})
    assert len(exported) == waiting == box.status()["waiting"]
    assert "is there already" in ask(box, "queue", "export", str(tmp_path / "out.jsonl"), status=1)
    assert "5 s" in ask(box, "queue", "flush")
    player.close()


def test_pings_can_be_dropped(box: BoxUnderTest) -> None:
    """What the operator drops is gone for good, is counted, and nothing else goes with it."""
    player = box.connect()
    player.send_and_wait(ITEM, tick(0), *[{"event": "adImpression"}] * 5)
    first = json.loads(ask(box, "queue", "list", "--limit", "1", "--json"))
    assert "say --all" in ask(box, "queue", "drop", status=2)
    assert ask(box, "queue", "drop", str(first["id"])).strip() == "1 ping was dropped"
    said = ask(box, "queue", "drop", str(first["id"]), "999999")
    assert said.strip() == "0 pings were dropped; 2 ids name none (any more)"
    assert json.loads(ask(box, "queue", "list", "--limit", "1", "--json"))["kind"] == "s"
    assert ask(box, "queue", "drop", "--all").startswith("6 pings")
    player.send_and_wait({"event": "adImpression"})
    box.kill()
    box.start()
    report = box.status()
    # The play has no key: it ended with the daemon, and its gab waits beside the last ad.
    assert report["dropped"]["operator"] == 7 and report["waiting"] == 2 and report["accepted"] == 9
    player.close()


def test_a_recording_replays(box: BoxUnderTest, tmp_path: Path) -> None:
    """`tap --record` while a player plays, then `replay`: the pings that the daemon made."""
    log = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "jwpingd", "tap", "--json", "--record", str(log)]
    with subprocess.Popen(
        command, env=box.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as tap:
        assert tap.stdout is not None and tap.stderr is not None
        tap.stderr.readline()
        player = box.connect()
        wait_until(lambda: _is_watched(player, tap.stdout.fileno() if tap.stdout else -1), "the tap runs")
        player.send_and_wait(ITEM, *(tick(position) for position in range(30)), {"event": "remove"})
        wait_until(lambda: b'"remove"' in log.read_bytes(), "the recording has the end")
        tap.send_signal(signal.SIGINT)
        assert tap.wait(10) == 0
    assert log.stat().st_mode & 0o777 == 0o600
    replayed = [json.loads(line)["params"]["e"] for line in ask(box, "replay", str(log)).splitlines()]
    assert replayed[-1] == "gab" and replayed.count("s") == 1
    player.close()


def _is_watched(player: Any, descriptor: int) -> bool:
    """Whether an event of a player shows up at the tap."""
    import select

    player.send_and_wait({"event": "hello"})
    return bool(select.select([descriptor], [], [], 0.1)[0])


def test_a_refused_ping_can_be_sent_again(tmp_path: Path) -> None:
    """What the collector refused for good is listed with its reason, and waits again on request."""
    port = free_port()
    collector, box = CollectorProcess(port, "--fail", "403:1"), BoxUnderTest(tmp_path, port)
    box.start()
    player = box.connect()
    player.send_and_wait(ITEM)
    wait_until(lambda: box.status()["set_aside"] == 1, "the ping is set aside")
    first_id = control.ask(tmp_path / "run/control.sock", "queue-list", set_aside=True)["pings"][0]["id"]
    assert "403" in ask(box, "queue", "list", "--set-aside")
    assert "1 set aside" in ask(box, "status")
    assert ask(box, "queue", "retry", str(first_id)).startswith("1 ping")
    wait_until(lambda: box.status()["uplink"]["n_set_aside"] == 2, "it is tried, and refused again")
    report = box.status()
    assert report["accepted"] == report["set_aside"] == 1
    player.close()
    box.kill()
    collector.stop()


def test_nonsense_on_the_control_socket(box: BoxUnderTest) -> None:
    """Whatever is written to the operators' socket is answered in words, and the daemon lives on."""
    path = box.directory / "run/control.sock"
    for nonsense in (b"\n", b"[]\n", b"{}\n", b'{"version":1,"command":"fly"}\n', b"x" * 40_000, b"\xff\n"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(nonsense)
            sock.shutdown(socket.SHUT_WR)
            assert b'"error"' in sock.recv(65536)
    with pytest.raises(OperatorError, match="whole number"):
        control.ask(path, "queue-list", after_id="one")
    assert box.status()["state"] == "running"


def test_a_watched_status_goes_on_after_a_restart(box: BoxUnderTest, tmp_path: Path) -> None:
    """`status --watch` says once that the daemon is away, waits for it, and shows it again."""
    shown, told = tmp_path / "shown", tmp_path / "told"
    command = [sys.executable, "-m", "jwpingd", "status", "--json", "--watch", "0.1"]
    with shown.open("wb") as out, told.open("wb") as err:
        watching = subprocess.Popen(command, env=box.environment, stdout=out, stderr=err)
    wait_until(lambda: shown.stat().st_size > 0, "the status is shown")
    box.stop()
    wait_until(lambda: "waiting for it" in told.read_text(), "the daemon is said to be away")
    n_shown = len(shown.read_text().splitlines())
    box.start()
    wait_until(lambda: len(shown.read_text().splitlines()) > n_shown, "the status is shown again")
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 0
    assert len(told.read_text().splitlines()) == 1


@pytest.mark.parametrize("interval", ["nan", "inf", "-1", "0", "x"])
def test_an_interval_that_cannot_be_waited_is_refused(
    interval: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interval that cannot be waited is a mistake of usage, told before the daemon is asked."""
    assert main(["status", f"--watch={interval}"]) == 2
    assert "must be seconds" in capsys.readouterr().err


def test_one_operator_too_many_is_told_so(box: BoxUnderTest) -> None:
    """Taps that were forgotten are named as the reason, and do not keep the daemon from stopping."""
    path = box.directory / "run/control.sock"
    player = box.connect()
    for _ in range(MAX_CLIENTS):
        threading.Thread(target=_tap, args=(path,), daemon=True).start()
    wait_until(lambda: _is_busy(path), "all places are taken")
    with pytest.raises(OperatorError, match="end one, such as a jwpingd tap"):
        next(control.follow(path, "tap"))
    player.close()
    box.stop()


def _tap(path: Path) -> None:
    """Watches until the daemon ends; tries again where a question of the test's had the last place."""
    while True:
        try:
            deque(control.follow(path, "tap"), maxlen=0)
        except NotRunning:
            return
        except OperatorError:
            continue
        return


def _is_busy(path: Path) -> bool:
    try:
        control.ask(path, "status")
    except OperatorError as error:
        return "already" in str(error)
    return False


def test_a_daemon_that_does_not_answer_is_told_in_words(box: BoxUnderTest) -> None:
    """One that is stopped keeps nobody waiting for ever, and is not taken for one that is not there."""
    assert box.process is not None
    box.process.send_signal(signal.SIGSTOP)
    with pytest.raises(OperatorError, match=r"runs but does not answer.*ask again"):
        control.ask(box.directory / "run/control.sock", "status", timeout_s=0.2)
    box.process.send_signal(signal.SIGCONT)
    assert box.status()["state"] == "running"


def test_the_last_delivery_is_a_metric(tmp_path: Path) -> None:
    """How long ago it was can be watched, once there was one."""
    port = free_port()
    collector, box = CollectorProcess(port), BoxUnderTest(tmp_path, port)
    box.start()
    name = "jwpingd_uplink_last_delivery_seconds"
    assert name not in ask(box, "status", "--prometheus")
    player = box.connect()
    player.send_and_wait(ITEM)
    wait_until(lambda: name in ask(box, "status", "--prometheus"), "it was delivered")
    families = text_string_to_metric_families(ask(box, "status", "--prometheus"))
    (ago_s,) = [family.samples[0].value for family in families if family.name == name]
    assert 0 <= ago_s < box.status()["up_s"]
    player.close()
    box.kill()
    collector.stop()


def test_no_daemon_is_told_in_words(tmp_path: Path) -> None:
    """Where no daemon runs, every command says so in one line, and ends with 1."""
    box = BoxUnderTest(tmp_path, 1)
    for command in (["status"], ["tap"], ["queue", "list"], ["queue", "flush"]):
        told = ask(box, *command, status=1)
        assert "is it running?" in told and len(told.splitlines()) <= 2
