"""The service on a real systemd: one boot, and each check of check_*.py as a test of its own.

A check that could show nothing on this machine is skipped with its reason: an option that has no effect
here is not counted as tested.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jwpingd.cli import main
from tests import wheels
from tests.systemd import inside

HERE = Path(__file__).parent
BOOT_S = 180
UNITS = "usr/lib/systemd/system"
SCRIPTS = {
    "integrator.sh": "systemctl enable --now",
    "desk.sh": "jwpingd collector --port 8080 &\n/opt",
    "mpv.sh": "mpv --input-ipc-server",
    "cost.sh": "awk ",
    "supervised.sh": "while :; do su",
}
"""Blocks of commands for the box from README and docs/operations.md, each by what only it has."""

pytestmark = pytest.mark.slow


def refuse(reason: str) -> None:
    """Skip; in CI, where everything must be there, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came of every check, by name; one boot for all processes of the test run."""
    if os.geteuid() != 0 or not shutil.which("systemctl") or not shutil.which("unshare"):
        refuse("needs root, systemd and util-linux")
    directory = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        directory = directory.parent
    with (directory / "boot-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "booted").exists():
            boot(directory)
    found = directory / "booted/results.jsonl"
    if not found.exists():
        console = directory / "booted/console.log"
        refuse(
            f"systemd did not boot here: {console.read_text()[-500:] if console.exists() else 'no console'}"
        )
    return {result["name"]: result for result in map(json.loads, found.read_text().splitlines())}


def boot(directory: Path) -> None:
    given = directory / "given"
    wheels.house(given)
    shutil.copy(wheels.build(directory / "built"), given)
    pages = [(wheels.REPOSITORY / name).read_text() for name in ("README.md", "docs/operations.md")]
    blocks = re.findall(r"```sh\n(.*?)```", "".join(pages), re.DOTALL)
    for name, mark in SCRIPTS.items():
        (block,) = (block for block in blocks if mark in block)
        (given / name).write_text(block)
    directories = map(str, (directory / "booted", BOOT_S, given, HERE.parent))
    command = [str(HERE / "boot.sh"), *directories, "--"]
    command += ["bash", "-c", "cd /ci && exec /usr/bin/python3 -B -m tests.systemd.inside"]
    with (directory / "boot.log").open("wb") as log:
        subprocess.run(command, stdout=log, stderr=log, check=False, timeout=BOOT_S + 60)


@pytest.mark.parametrize("name", inside.NAMES)
def test_on_a_booted_box(name: str, results: dict[str, dict[str, Any]]) -> None:
    """The check of that name in check_*.py holds."""
    assert name in results, "the box did not get that far; see output.log of the boot"
    result = results[name]
    assert result["verdict"] != "failed", result["detail"]
    if result["verdict"] == "no effect":
        pytest.skip(result["detail"])


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as installed, starting a program that exists here."""
    assert main(["install", "--root", str(tmp_path), "--exec", "/bin/true"]) == 0
    return tmp_path / UNITS


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("systemd-analyze"):
        refuse("needs systemd-analyze")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_verify_is_silent(units: Path) -> None:
    """`systemd-analyze verify` has nothing to say, and would: a misspelt option is an error."""
    verify = ("verify", "--recursive-errors=one", units / "jwpingd.service", units / "jwpingd.socket")
    done = analyze(*verify)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with (units / "jwpingd.service").open("a") as unit:
        unit.write("[Service]\nProtectSytem=strict\n")
    assert analyze(*verify).returncode != 0


def test_the_exposure_is_small(units: Path) -> None:
    """`systemd-analyze security` finds 1.5 at most, where comparable daemons have 9; and can tell."""
    security = ("security", "--offline=true", "--no-pager", units / "jwpingd.service")
    assert analyze(*security, "--threshold=15").returncode == 0
    assert analyze(*security, "--threshold=5").returncode != 0


def test_options_left_open_say_why() -> None:
    """Each option of the sandbox that is left open stands in the unit with its reason."""
    unit = (wheels.REPOSITORY / "systemd/jwpingd.service").read_text()
    for option in ("PrivateUsers", "ProtectProc", "ProcSubset", "PrivateNetwork", "IPAddressDeny"):
        assert re.search(rf"^# {option}= +\S", unit, re.MULTILINE)
        assert not re.search(rf"^{option}=", unit, re.MULTILINE)
