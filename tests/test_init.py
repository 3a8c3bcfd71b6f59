"""`jwpingd init`: what it writes is what `check` passes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from jwpingd import cli, config

GOOD = "a17e8PTFFffxLgpVuA4vVw"


def test_what_init_writes_check_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The new file holds the id and every default, and is a configuration."""
    file = tmp_path / "etc/config.toml"
    assert cli.main(["init", "--analytics-id", GOOD, "--file", str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    assert cli.main(["check", "--offline", "--config", str(file)]) == 0
    assert config.load((file,), ()).config == config.load((), [f"analytics_id={GOOD}"]).config


def test_init_writes_where_run_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place the file goes where the daemon reads it."""
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path))
    assert cli.main(["init", "--analytics-id", GOOD]) == 0
    assert config.locate().config_files == (tmp_path / "config.toml",)


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there stays as it is."""
    file = tmp_path / "config.toml"
    file.write_text("mine")
    assert cli.main(["init", "--analytics-id", GOOD, "--file", str(file)]) == 1
    assert file.read_text() == "mine" and "is there already" in capsys.readouterr().err


def test_a_wrong_id_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message has the id and what one looks like; nothing is written."""
    assert cli.main(["init", "--analytics-id", "short", "--file", str(tmp_path / "f")]) == 2
    told = capsys.readouterr().err
    assert "'short'" in told and "22 of" in told and not (tmp_path / "f").exists()


@pytest.mark.slow
def test_init_asks_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the id is asked for, again after a wrong one."""
    file = tmp_path / "config.toml"
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "jwpingd", "init", "--file", str(file)]
    os.write(controller, f"wrong\n{GOOD}\n".encode())
    done = subprocess.run(command, stdin=terminal, capture_output=True, text=True, timeout=60)
    os.close(controller)
    os.close(terminal)
    assert done.returncode == 0 and "'wrong' is no analytics id" in done.stderr
    assert GOOD in file.read_text()
