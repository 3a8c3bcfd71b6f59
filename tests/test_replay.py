"""Any file can be replayed: what is no event log is told line by line, whatever its size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from io import BytesIO
from pathlib import Path

import pytest

from jwpingd import replay as replaying
from jwpingd.cli import main
from jwpingd.replay import Mistake, lines_of, plays_in, replay

ITEM = b'{"event":"playlistItem","mediaid":"9u6OHIO4","title":"\\u00e4\\u2026","at":1}\n'


class Endless(BytesIO):
    """Zeros without a newline: `n_bytes` of them, none of which are held."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__()
        self._n_left = n_bytes

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None and size > 0, "a line without a limit may have any length"
        n_bytes = min(size, self._n_left)
        self._n_left -= n_bytes
        return bytes(n_bytes)


def test_a_line_without_end_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gigabyte without a newline is one line that is too long, and takes the room of its beginning."""
    monkeypatch.setattr(replaying, "MAX_LINE_BYTES", 2 << 20)
    tracemalloc.start()
    ((name, lines),) = ((name, list(replay(lines))) for name, lines in plays_in(lines_of(Endless(1 << 30))))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert name == "" and isinstance(lines[0], Mistake) and "longer than" in lines[0].message
    assert len(lines) == 1
    assert peak_bytes < 32 << 20


def test_lines_of_a_file_are_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that fit are given as they are; of others the beginning, and the next begins where it stands."""
    monkeypatch.setattr(replaying, "MAX_LINE_BYTES", 4)
    text = b"a\n\nabc\nabcd\nabcdefghi\nabc"
    assert list(lines_of(BytesIO(text))) == [b"a\n", b"\n", b"abc\n", b"abcd", b"abcd", b"abc"]


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"events":' + b"[" * 100_000, b"\xff\x00", b"9" * 5000])
def test_what_is_no_event_is_a_mistake(
    line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that is no event is told with file and line, the rest is replayed, and the status is 1."""
    file = tmp_path / "log"
    file.write_bytes(line + b"\n" + ITEM)
    assert main(["replay", str(file)]) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"jwpingd: {file}:1: ") and len(told.err.splitlines()) == 1
    assert json.loads(told.out)["params"]["e"] == "e"


@pytest.mark.parametrize("name", ["\\ud800", "\u00e4"])
def test_any_locale_can_take_the_pings(name: str, tmp_path: Path) -> None:
    """What is printed is JSON in ASCII, so that no title and no name of a play ends the command."""
    file = tmp_path / "log"
    event = ITEM.decode().strip()
    file.write_text(f'{{"name":"{name}","events":[{event}]}}\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "jwpingd", "replay", str(file)],
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout.decode("ascii"))["params"]["t"] == "\u00e4\u2026"
