"""Commands whose standard streams are closed, full, or of another locale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import BoxUnderTest

JWPINGD = (sys.executable, "-m", "jwpingd")


def run(redirections: str, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of jwpingd as a shell starts it with these redirections."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *JWPINGD, *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("redirections", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(redirections: str) -> None:
    """What would be said on it is said to nobody; the command does its work."""
    done = run(redirections, "replay", "/dev/null")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_output_for_which_there_is_no_room_is_told_in_words(tmp_path: Path) -> None:
    """A full disk is the operator's to mend, no internal error."""
    done = run(">/dev/full", "device", "--root", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "jwpingd: cannot write: No space left on device; make room and try again\n"


def test_a_mistake_keeps_its_status_where_it_cannot_be_told(tmp_path: Path) -> None:
    """Whoever supervises learns of a bad configuration though there is no room to say so."""
    done = run(
        "2>/dev/full", "run", "--set", "nonsense=1", PYTHONUNBUFFERED="", STATE_DIRECTORY=str(tmp_path)
    )
    assert done.returncode == 78


def test_a_locale_that_lacks_a_character(tmp_path: Path) -> None:
    """A character that the locale lacks is spelled out."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('NAME="Öko…"\n')
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run("", "device", "--root", str(tmp_path), **plain)
    assert r"\xd6ko\u2026" in done.stdout and done.stderr == ""


@pytest.mark.slow
def test_a_daemon_without_standard_streams_works(tmp_path: Path) -> None:
    """No file of its own gets the descriptor that others write messages to."""
    box = BoxUnderTest(tmp_path, 1)
    box.program = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *box.program]
    box.start()
    assert box.process is not None
    streams = [Path(f"/proc/{box.process.pid}/fd/{descriptor}") for descriptor in range(3)]
    assert [os.readlink(stream) for stream in streams] == ["/dev/null"] * 3
    box.stop()


@pytest.mark.slow
def test_a_log_without_room_stops_nothing(tmp_path: Path) -> None:
    """Lines for which there is no room are lost, and leave no trace of the program."""
    box = BoxUnderTest(tmp_path, 1)
    box.log.symlink_to("/dev/full")
    box.start()
    player = box.connect()
    player.send({"event": "time"})
    assert player.reply()["error"] == "bad-event"
    player.close()
    box.stop()
