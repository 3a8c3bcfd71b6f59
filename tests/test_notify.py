"""Systemd: what is sent to it, and what is taken over from it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwpingd import notify


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The other end of $NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


def test_each_message_is_one_datagram_as_systemd_reads_it(supervisor: socket.socket) -> None:
    """The assignments are those of sd_notify(3), one a line."""
    assert notify.status("two\nlines") and supervisor.recv(4096) == b"STATUS=two lines"
    assert notify.ready() and supervisor.recv(4096) == b"READY=1"
    assert notify.ready("running") and supervisor.recv(4096) == b"READY=1\nSTATUS=running"
    assert notify.stopping() and supervisor.recv(4096) == b"STOPPING=1"
    assert notify.watchdog() and supervisor.recv(4096) == b"WATCHDOG=1"
    assert notify.extend_timeout(1.5) and supervisor.recv(4096) == b"EXTEND_TIMEOUT_USEC=1500000"


def test_a_reload_tells_when_it_began(supervisor: socket.socket) -> None:
    """RELOADING=1 carries CLOCK_MONOTONIC in microseconds, without which systemd ignores it."""
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert notify.reloading()
    first, second = supervisor.recv(4096).decode().split("\n")
    key, _, value = second.partition("=")
    assert (first, key) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before_us <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_an_abstract_address_is_reached() -> None:
    """A leading "@" stands for the NUL of the abstract name space."""
    name = f"jwpingd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        receiver.settimeout(5)
        assert notify.send("READY=1", environ={"NOTIFY_SOCKET": f"@{name}"})
        assert receiver.recv(4096) == b"READY=1"


@pytest.mark.parametrize(
    "address", [None, "", "relative", "vsock:2:1", "/nowhere/at/all", "@", "/" + 200 * "x"]
)
def test_without_a_supervisor_nothing_happens(address: str | None) -> None:
    """No address, one we do not speak, or one where nobody is: False, and nothing is raised."""
    assert notify.send("READY=1", environ={} if address is None else {"NOTIFY_SOCKET": address}) is False


@pytest.mark.parametrize(
    ("usec", "pid", "interval_s"),
    [
        ("30000000", None, 15.0),
        ("30000000", "own", 15.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("", None, None),
        ("-5", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(
    usec: str | None, pid: str | None, interval_s: float | None
) -> None:
    """WATCHDOG_USEC counts only for the process that WATCHDOG_PID names; nonsense is no watchdog."""
    environ = {"WATCHDOG_USEC": usec, "WATCHDOG_PID": str(os.getpid()) if pid == "own" else pid}
    given = {key: value for key, value in environ.items() if value is not None}
    assert notify.watchdog_interval_s(given) == interval_s


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": "own", "LISTEN_FDS": "many"},
        {"LISTEN_PID": "own", "LISTEN_FDS": "-1"},
        {"LISTEN_PID": "own", "LISTEN_FDS": "0", "LISTEN_FDNAMES": "player"},
    ],
)
def test_what_is_not_for_us_is_left_and_forgotten(environ: dict[str, str]) -> None:
    """Another process's sockets, or nonsense, are none; the variables go in any case."""
    given = {key: str(os.getpid()) if value == "own" else value for key, value in environ.items()}
    assert notify.inherited_sockets(given | {"HOME": "/"}) == {}
    given["HOME"] = "/"
    notify.inherited_sockets(given)
    assert given == {"HOME": "/"}


_CHILD = """
import json, os
from jwpingd import notify
os.environ["LISTEN_PID"] = str(os.getpid() + int(os.environ["PID_OFF_BY"]))
found = notify.inherited_sockets()
print(json.dumps({
    "found": {name: taken.getsockname() for name, taken in found.items()},
    "inheritable": [taken.get_inheritable() for taken in found.values()],
    "blocking": [taken.getblocking() for taken in found.values()],
    "left": sorted(key for key in os.environ if key.startswith("LISTEN_")),
}))
"""


@pytest.mark.slow
def test_only_listening_unix_streams_are_taken_over(tmp_path: Path) -> None:
    """A process started as systemd starts it finds its sockets by name and drops everything else."""
    path = str(tmp_path / "player.sock")
    with (
        socket.socket(socket.AF_UNIX) as player,
        socket.socket(socket.AF_UNIX) as deaf,
        socket.socket(socket.AF_INET) as network,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
        (tmp_path / "file").open("w") as file,
        socket.socket(socket.AF_UNIX) as namesake,
    ):
        player.bind(path)
        player.listen()
        network.bind(("127.0.0.1", 0))
        network.listen()
        namesake.bind(str(tmp_path / "namesake.sock"))
        namesake.listen()
        passed = [item.fileno() for item in (deaf, network, datagrams)]
        passed += [file.fileno(), player.fileno(), namesake.fileno()]
        environ = {
            "LISTEN_FDS": "6",
            "PID_OFF_BY": "0",
            "LISTEN_FDNAMES": "deaf:network:datagrams:file:player:player",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        answer = _run_with_descriptors(passed, environ)
    assert answer == (
        f'{{"found": {{"player": "{path}"}}, "inheritable": [false], "blocking": [false], "left": []}}\n'
    )


@pytest.mark.slow
def test_another_process_sockets_are_not_taken_over(tmp_path: Path) -> None:
    """A proper listening socket is left alone when LISTEN_PID names somebody else."""
    with socket.socket(socket.AF_UNIX) as player:
        player.bind(str(tmp_path / "player.sock"))
        player.listen()
        environ = {"LISTEN_FDS": "1", "PID_OFF_BY": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        answer = _run_with_descriptors([player.fileno()], environ)
    assert answer == '{"found": {}, "inheritable": [], "blocking": [], "left": []}\n'


def _run_with_descriptors(descriptors: list[int], environ: dict[str, str]) -> str:
    """The output of `_CHILD` with `descriptors` as its 3, 4, 5 … as systemd passes them."""
    # A shell puts them in place: what the parent has open at 3 and above need not be free.
    # They go out of the way first, so that none is overwritten before it was moved.
    base = 100
    moves = [f"exec {base + idx}>&{old}" for idx, old in enumerate(descriptors)]
    moves += [f"exec {3 + idx}>&{base + idx}" for idx in range(len(descriptors))]
    script = "; ".join([*moves, f'exec "{sys.executable}" -c "$0"'])
    outcome = subprocess.run(
        ["bash", "-c", script, _CHILD],
        pass_fds=descriptors,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return outcome.stdout
