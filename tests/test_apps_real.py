"""Real processes of other users: a daemon without any right tells who they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import cgroups
from tests.processes import PATIENCE_S, BoxUnderTest, CollectorProcess, free_port, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes as other users"),
]

DAEMON_UID, PLAYER_UID = 64_211, 64_212  # of no user that a machine has
UNITS = CONFIGURED, UNCONFIGURED = "tvplayer@living\\x2droom.service", "radioplayer.service"
CONFIGURATION = """
[[apps]]
match = { unit = "tvplayer@.service" }
id = "com.example.tv"
version = "2.4.1"
"""
ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream"}

# All that the daemon may need is imported first: the interpreter may lie where other users cannot read.
UNPRIVILEGED = """
import contextlib, importlib, os, pkgutil, sys
import anyio, encodings, httpcore, httpx, jwpingd, trio
for package in (anyio, encodings, httpcore, httpx, jwpingd, trio):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not any(part in module.name for part in ("__main__", "test", "tests", "pytest_plugin")):
            with contextlib.suppress(Exception):
                importlib.import_module(module.name)
os.setgroups([]), os.setgid({uid}), os.setuid({uid})
sys.exit(jwpingd.cli.main(sys.argv[1:]))
"""

# Joins its cgroup, becomes its user, writes what it is given, and stays until it is told to go.
PLAYER = """
import os, socket, sys
cgroup, uid, path = sys.argv[1:]
open(cgroup + "/cgroup.procs", "w").write("0")
os.setgroups([]), os.setgid(int(uid)), os.setuid(int(uid))
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(path)
    sock.sendall(sys.stdin.readline().encode())
    sys.stdin.read()
"""


class UnprivilegedBox(BoxUnderTest):
    """A box whose daemon runs as a user of its own."""

    def __init__(self, directory: Path, port: int, *settings: str) -> None:
        super().__init__(directory, port, "socket.mode=0666", *settings)
        self.program = [sys.executable, "-c", UNPRIVILEGED.format(uid=DAEMON_UID)]
        (directory / "etc").mkdir()
        for name in ("state", "run"):
            (directory / name).mkdir()
            os.chown(directory / name, DAEMON_UID, DAEMON_UID)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where both users may go; pytest's own directories are root's alone."""
    path = Path(tempfile.mkdtemp(prefix="jwpingd-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class PlayerProcess:
    """A player of another user in a unit of its own, which begins a play and stays connected."""

    def __init__(self, box: BoxUnderTest, cgroup: Path) -> None:
        command = [sys.executable, "-c", PLAYER, str(cgroup), str(PLAYER_UID), str(box.player_socket)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(ITEM).encode() + b"\n")
        self.process.stdin.flush()

    def leave(self) -> None:
        self.process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def box(directory: Path) -> Iterator[UnprivilegedBox]:
    """A box whose daemon is gone at the end, whatever happened."""
    under_test = UnprivilegedBox(directory, free_port())
    yield under_test
    if under_test.process is not None and under_test.process.poll() is None:
        under_test.kill()


def test_players_of_another_user_are_known_by_their_units(box: UnprivilegedBox) -> None:
    """A daemon that may not read `exe` counts plays for the app of the unit: configured, or by its name."""
    (box.directory / "etc/config.toml").write_text(CONFIGURATION)
    slice_ = f"jwpingd-{os.getpid()}.slice"
    with ExitStack() as stack:
        places = [stack.enter_context(cgroups.made(f"{slice_}/{unit}")) for unit in UNITS]
        box.start()
        collector = CollectorProcess(box.port)
        stack.callback(collector.stop)
        for place in places:
            stack.callback(PlayerProcess(box, place).leave)
        wait_until(lambda: box.status()["delivered"] == 2, "both players' pings were delivered")
        known = {client["unit"]: client for client in box.status()["clients"]}
    apps = sorted((made["params"]["bun"], made["params"]["av"]) for made in collector.pings)
    assert apps == [("com.example.tv", "2.4.1"), ("radioplayer", "0")]
    for unit, source in ((CONFIGURED, "[[apps]]"), (UNCONFIGURED, "unit")):
        told = known[unit]
        assert (told["uid"], told["app_source"], told["exe"]) == (PLAYER_UID, source, None)
