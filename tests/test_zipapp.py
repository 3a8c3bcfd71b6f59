"""One file to try on a box."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wheels import ZIPAPP

MAX_BYTES = 3_000_000
PYTHONS: list[str] = sorted(
    {
        found
        for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14")
        if (found := shutil.which(name, path="/usr/bin:/usr/local/bin"))
    }
    | {sys.executable}
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("zipapp"))


def build(directory: Path) -> Path:
    target = directory / "jwpingd.pyz"
    subprocess.run([sys.executable, ZIPAPP, target], check=True, cwd=directory)
    return target


def test_the_same_input_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    """Built again, elsewhere and later, it is the same, and small enough for a box."""
    assert build(tmp_path).read_bytes() == file.read_bytes()
    assert file.stat().st_size <= MAX_BYTES


@pytest.mark.parametrize("python", PYTHONS)
def test_it_runs_alone(python: str, file: Path, tmp_path: Path) -> None:
    """Any Python >= 3.11 runs it without anything installed; it brings its units along."""
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, check=True
    )
    if version.stdout != b"True\n":
        pytest.skip(f"{python} is older than 3.11")
    command = [
        python,
        "-I",
        str(file),
        "install",
        "--root",
        str(tmp_path),
        "--exec",
        "/usr/bin/python3 /opt/jwpingd.pyz",
    ]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    assert (tmp_path / "usr/lib/systemd/system/jwpingd.socket").exists()


def test_an_older_python_is_told(file: Path) -> None:
    """Python before 3.11 gets one line in words, and no stack trace."""
    code = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path(sys.argv[1], run_name='__main__')"
    outcome = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, check=False, timeout=60
    )
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("jwpingd needs Python 3.11 or newer, this is ")
    assert "Traceback" not in outcome.stderr


def test_the_whole_way_of_a_ping_is_in_it(file: Path, tmp_path: Path) -> None:
    """`demo` runs from the one file: collector, daemon, player, TLS library and all."""
    outcome = subprocess.run(
        [PYTHONS[0], str(file), "demo"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "0 lost" in outcome.stdout
