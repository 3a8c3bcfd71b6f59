"""Ctrl-C: quiet at every moment of every command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwpingd import interrupt
from jwpingd.cli import COMMANDS, main
from tests.processes import ANALYTICS_ID

pytestmark = pytest.mark.slow

# Sends SIGINT to itself at the n-th thing that is imported from our first line on, or after main().
INTERRUPTED = """
import os, runpy, signal, sys

n_left = int(sys.argv.pop(1))
is_ours = False

def hook(event, args):
    global n_left, is_ours
    if event != "import":
        return
    is_ours = is_ours or args[0] == "jwpingd.interrupt"
    n_left -= is_ours
    if is_ours and n_left == 0:
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(hook)
sys.argv[0] = "jwpingd"
runpy.run_module("jwpingd", run_name="__main__")
"""

WORDS = {
    "run": ["--set", f"analytics_id={ANALYTICS_ID}", "--set", "collector_url=http://127.0.0.1:9"],
    "collector": ["--port", "0"],
    "attach": ["mpv", "--ipc", "/nowhere"],
    "replay": ["/nowhere"],
    "queue": ["list"],
    "identity": ["show"],
    "install": ["--root", "/nowhere"],
    "uninstall": ["--root", "/nowhere"],
}


def interrupted(words: list[str], n_imports: int, directory: Path) -> subprocess.CompletedProcess[bytes]:
    """The command on a box of its own, interrupted at its n-th import, which it must come to."""
    environment = os.environ | {
        "STATE_DIRECTORY": str(directory / "state"),
        "RUNTIME_DIRECTORY": str(directory / "run"),
        "CONFIGURATION_DIRECTORY": str(directory / "etc"),
    }
    environment.pop("NOTIFY_SOCKET", None)
    command = [sys.executable, "-c", INTERRUPTED, str(n_imports), *words]
    return subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_starts_ends_quietly(name: str, tmp_path: Path) -> None:
    """Interrupted while it is imported, a command says nothing, and its status is 130."""
    for n_imports in (1, 2, 3, 10, 30):
        done = interrupted([name, *WORDS.get(name, [])], n_imports, tmp_path)
        assert (done.returncode, done.stderr) == (interrupt.STATUS, b""), n_imports


@pytest.mark.parametrize("n_imports", [150, 250])
def test_the_daemon_that_starts_is_stopped_in_good_order(n_imports: int, tmp_path: Path) -> None:
    """Once it has taken the signals for its own, one that comes before it can heed it is not lost."""
    done = interrupted(["run", *WORDS["run"]], n_imports, tmp_path)
    assert done.returncode == 0 and b"SIGINT: stopping" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """Where a socket's path has room in every test runner."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def test_a_command_at_work_cleans_up(short_directory: Path) -> None:
    """Ctrl-C, which all processes of a terminal get, ends the demonstration; nothing of it stays."""
    command = [sys.executable, "-m", "jwpingd", "demo"]
    with subprocess.Popen(
        command,
        env=os.environ | {"TMPDIR": str(short_directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as demo:
        assert demo.stdout is not None
        while not demo.stdout.readline().startswith(b"1."):
            assert demo.poll() is None
        os.killpg(demo.pid, signal.SIGINT)
        _, told = demo.communicate(timeout=60)
    assert (demo.returncode, told) == (interrupt.STATUS, b"")
    assert not list(short_directory.iterdir())


def test_nothing_swallows_it() -> None:
    """Where an exception would only be printed, as in a finalizer, Ctrl-C ends the program all the same."""
    code = """
import os, signal
from jwpingd import interrupt
interrupt.end_quietly()
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        os.getpid()
Finalized()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (interrupt.STATUS, b"")


def test_outside_the_program_nothing_changes() -> None:
    """Who calls `main` from a program of its own keeps its own way to be interrupted."""
    before = signal.getsignal(signal.SIGINT)
    assert main(["replay", "/nowhere"]) == 1
    assert signal.getsignal(signal.SIGINT) is before
