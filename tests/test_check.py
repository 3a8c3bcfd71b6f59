"""`jwpingd check` and the frame of all commands: words for people, statuses for programs."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from jwpingd import cli
from jwpingd.cli.checks import box as checks
from jwpingd.cli.checks import directory
from jwpingd.clock import BUILD_MS
from jwpingd.config import Config
from jwpingd.device import Device, Fact
from jwpingd.sockets import listening
from tests.virtual_clocks import VirtualReaders

GOOD = "a17e8PTFFffxLgpVuA4vVw"


@pytest.fixture(autouse=True)
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories of our own, as systemd would set them."""
    for name, place in (("STATE", "state"), ("RUNTIME", "run"), ("CONFIGURATION", "etc")):
        (tmp_path / place).mkdir(mode=0o700)
        monkeypatch.setenv(f"{name}_DIRECTORY", str(tmp_path / place))
    return tmp_path


def test_a_good_configuration_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0; effective values with the origin of each."""
    assert cli.main(["check", "--offline", "--set", f"analytics_id={GOOD}"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["analytics_id", f'"{GOOD}"', "--set"] in rows
    assert ["uplink.concurrency", "4", "default"] in rows


def test_authorities_that_cannot_be_read_are_told_without_asking(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1 in an image's build, too: no ping could be sent with this file."""
    missing = box / "missing.pem"
    assert cli.main(["check", "--offline", f"--set=analytics_id={GOOD}", f"--set=tls.ca_file={missing}"]) == 1
    assert f"FAILED: tls.ca_file = {missing}: No such file" in capsys.readouterr().out


def test_players_that_find_no_daemon_are_told_of(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 where a daemon answers operators while the file of the players' socket is gone."""
    arguments = ["check", "--offline", f"--set=analytics_id={GOOD}"]
    with listening.bind(box / "run/control.sock", mode=0o600, group=None):
        assert cli.main(arguments) == 1
        assert f"FAILED: a daemon runs, but not at {box / 'run/player.sock'}" in capsys.readouterr().out
        with listening.bind(box / "run/player.sock", mode=0o600, group=None):
            assert cli.main(arguments) == 0


def test_every_problem_is_told_at_once(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 78; each problem with file, line, key and value, and the nearest key that exists."""
    file = box / "etc/config.toml"
    file.write_text('[uplink]\nconcurency = 2\n[clock]\ntrust = "perhaps"\n')
    assert cli.main(["check", "--offline"]) == 78
    out = capsys.readouterr().out
    for said in (f"{file}:2", "uplink.concurency", "concurrency", f"{file}:4", "perhaps", "analytics_id"):
        assert said in out


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("LibreELEC", None, "does not list 'LibreELEC': it is sent as Web"),
        ("Android TV", None, ""),
        ("LibreELEC", "Android TV", ""),
        ("Android TV", "Own OS", "device.os = 'Own OS'"),
    ],
)
def test_a_system_outside_the_interfaces_list_is_warned_of(name: str, setting: str | None, said: str) -> None:
    """What reports will not know is told before they are empty."""
    section = checks.device(Device("test", os_name=Fact(name, "/etc/os-release")), setting)
    assert len(section.warnings) == bool(said) and said in "".join(section.warnings)


def test_check_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """--json is one object with the status."""
    assert cli.main(["check", "--offline", "--json"]) == 78
    assert json.loads(capsys.readouterr().out)["status"] == 78


def test_a_file_system_too_small_for_a_damaged_store_is_warned_of(tmp_path: Path) -> None:
    """What the store has taken already is no shortage, but twice its limit must fit the file system."""
    space = os.statvfs(tmp_path)
    size_bytes = (space.f_blocks - space.f_bfree + space.f_bavail) * space.f_frsize
    assert not directory.state_directory(tmp_path, 1 << 20).warnings
    (warning,) = directory.state_directory(tmp_path, size_bytes // 2 + 1).warnings[-1:]
    assert "needs twice that" in warning
    free_bytes = space.f_bavail * space.f_frsize
    with (tmp_path / "spool.db").open("wb") as file:
        file.truncate(size_bytes)  # Sparse: it is free and taken at once.
    assert not any(
        "are free" in said for said in directory.state_directory(tmp_path, free_bytes * 2).warnings
    )


def test_a_world_writable_state_directory_is_warned_of(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anybody could read and change what waits there."""
    (box / "state").chmod(0o777)
    assert cli.main(["check", "--offline", "--set", f"analytics_id={GOOD}"]) == 0
    told = capsys.readouterr().out
    assert "writable by everybody" in told and "chmod 700" in told


@pytest.mark.parametrize(
    ("url", "is_vouched_for", "is_warned"),
    [("https://box", False, True), ("https://box", True, False), ("http://127.0.0.1", False, False)],
)
def test_a_clock_that_nobody_vouches_for_is_warned_of(
    url: str, is_vouched_for: bool, is_warned: bool
) -> None:
    """Where pings would be held back for it; a collector on the box itself has the box's clock."""

    async def warnings() -> tuple[str, ...]:
        readers = VirtualReaders(BUILD_MS + 1)
        readers.is_kernel = is_vouched_for
        return checks.clock(Config(analytics_id=GOOD, collector_url=url), readers).warnings

    told = trio.run(warnings, clock=trio.testing.MockClock())
    assert ["pings are held back" in warning for warning in told] == [True] * is_warned


def test_a_collector_that_does_not_answer_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """An offline box is no mistake in its configuration."""
    arguments = ["check", "--set", f"analytics_id={GOOD}", "--set", "collector_url=http://127.0.0.1:1"]
    assert cli.main(arguments) == 0
    assert "it cannot be reached: Connection refused; pings wait" in capsys.readouterr().out


def test_what_a_stranger_says_in_the_collectors_place_cannot_write_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its words are told, on one line and without control characters."""

    def greet() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(b"SSH-2.0-\x1b[31mx\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        stranger = threading.Thread(target=greet)
        stranger.start()
        url = f"collector_url=http://127.0.0.1:{listener.getsockname()[1]}"
        assert cli.main(["check", "--set", f"analytics_id={GOOD}", "--set", url]) == 0
        stranger.join()
    assert "cannot be reached: SSH-2.0-\\x1b[31mx; pings wait" in capsys.readouterr().out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help has an example, and ends with status 0."""
    assert cli.main([command, "--help"]) == 0
    assert "example:\n  jwpingd " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["statsu"], "'status'"),
        (["run", "--x"], "--x"),
        (["collector", "--reset", "1.5"], "--reset"),
        (["collector", "--keyfile", "k.pem"], "--certfile"),
        (["attach", "mpv", "--ipc", "x", "--media-id", "("], "--media-id"),
        (["queue", "drop"], "--all"),
    ],
)
def test_a_mistake_in_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and the nearest command where there is one."""
    assert cli.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_status_without_a_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 and the way out, in one line."""
    assert cli.main(["status"]) == 1
    assert "is it running?" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the program."""
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("jwpingd ")
