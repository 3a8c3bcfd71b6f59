"""The booted box from the inside: commands, units, journal.  Standard library only."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PATIENCE_S = 20.0  # a machine under load; what works never waits so long
PROGRAM = "/opt/jwpingd/bin/jwpingd"
SOCKET = "/run/jwpingd/player.sock"
STATE = Path("/var/lib/jwpingd")
CONFIG = Path("/etc/jwpingd/config.toml")
PINGS = Path("/out/pings.jsonl")
GIVEN = Path("/ci/given")  # wheels and scripts, from outside
HERE = Path(__file__).parent
WATCHDOG_S = 2  # in place of the unit's minute


def run(*command: str, check: bool = True, **options: Any) -> str:
    """The output of a command.  Raises AssertionError with it when the command fails."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.returncode}: {done.stdout}"
    return done.stdout


def systemctl(*arguments: str) -> str:
    """One command of systemctl."""
    return run("systemctl", "--no-pager", *arguments)


def show(prop: str, unit: str = "jwpingd.service") -> str:
    """One property of a unit."""
    return systemctl("show", unit, "-P", prop).strip()


def wait_until(holds: Callable[[], Any], what: str) -> None:
    """Look again every few milliseconds; fail with `what` and the status when patience is at its end."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            status = run("systemctl", "status", "--no-pager", "-n", "20", "jwpingd", check=False)
            raise AssertionError(f"waited in vain: {what}\n{status}")
        time.sleep(0.03)


def wait_status(part: str) -> None:
    """Until STATUS= has `part`."""
    wait_until(lambda: part in show("StatusText"), f"the status says {part!r}")


def status() -> dict[str, Any]:
    """What the daemon says of itself."""
    answer: dict[str, Any] = json.loads(run(PROGRAM, "status", "--json"))
    return answer


def journal(*matches: str) -> list[dict[str, Any]]:
    """The daemon's entries so far."""
    run("journalctl", "--sync")
    lines = run("journalctl", "-b", "-o", "json", "-u", "jwpingd.service", *matches).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def owner(path: str) -> str:
    """User, group and mode of a file."""
    return run("stat", "-c", "%U:%G %a", path).strip()


@contextlib.contextmanager
def drop_in(name: str, *lines: str) -> Iterator[None]:
    """A drop-in of the service for as long as the block lasts; nothing is restarted."""
    file = Path(f"/run/systemd/system/jwpingd.service.d/{name}.conf")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(("[Service]", *lines, "")))
    systemctl("daemon-reload")
    try:
        yield
    finally:
        file.unlink()
        systemctl("daemon-reload")
