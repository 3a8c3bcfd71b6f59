"""The README's first player, typed as it stands there: a shell and nc."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import free_port, wait_until

README = (Path(__file__).parent.parent / "README.md").read_text()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("nc") and not os.environ.get("CI"), reason="nc is not installed"),
]


def block_with(text: str) -> str:
    """The one block of shell commands that has `text` in it."""
    (block,) = (block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if text in block)
    return str(block)


def test_the_first_player_of_the_readme(tmp_path: Path) -> None:
    """Both terminals' commands work: the pings arrive with 3 seconds, and the player reads its ack."""
    changes = {
        ".venv/bin/jwpingd": f"{sys.executable} -m jwpingd",
        "8080": str(free_port()),
        "/tmp/player.sock": str(tmp_path / "player.sock"),
    }
    places = {f"{name}_DIRECTORY": str(tmp_path) for name in ("STATE", "RUNTIME", "CONFIGURATION")}
    log = tmp_path / "log"
    with log.open("wb") as out:
        first = subprocess.Popen(
            ["bash", "-c", changed(block_with("--set socket.path=/tmp/player.sock"), changes)],
            env={**os.environ, **places},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        wait_until(lambda: b"ready" in log.read_bytes(), "the daemon is ready")
        player = changed(block_with("nc -UN"), changes)
        second = subprocess.run(["bash", "-c", player], capture_output=True, text=True, timeout=60)
        assert second.stdout == '{"ack":1}\n', second.stderr
        wait_until(lambda: b"gab" in log.read_bytes(), "the last ping arrives")
    finally:
        os.killpg(first.pid, signal.SIGTERM)
        first.wait(20)
    kinds = re.findall(r"^\S+ +(e|s|gab) +9u6OHIO4 +\d* +(\d*)", log.read_text(), re.MULTILINE)
    assert [kind for kind, _ in kinds] == ["e", "s", "gab"] and kinds[-1][1] == "3"


def changed(text: str, changes: dict[str, str]) -> str:
    """The commands with places of our own."""
    for old, new in changes.items():
        text = text.replace(old, new)
    return text
