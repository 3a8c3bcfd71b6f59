"""A box that has booted, from the inside: its service, its players, its collector.  Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PATIENCE_S = 20.0  # a machine under load; what works never waits so long
PROGRAM = "/opt/jwpingd/bin/jwpingd"
SOCKET = "/run/jwpingd/player.sock"
STATE = Path("/var/lib/jwpingd")
CONFIG = Path("/etc/jwpingd/config.toml")
PINGS = Path("/out/pings.jsonl")


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


class Player:
    """A player: writes lines, reads acks.  `title` marks its pings."""

    def __init__(self, title: str, key: str | None = None) -> None:
        self.title = title
        self._key = {} if key is None else {"play": key}
        self._n_acks = 0
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(SOCKET)
        self._unread = b""

    def begin(self) -> Player:
        """Start a play, which makes e and s; not acknowledged yet."""
        app = {"id": "com.example.tv", "version": "2.4.1"}
        item = {"mediaid": "9u6OHIO4", "title": self.title, **self._key}
        self.send({"event": "hello", "app": app})
        self.send({"event": "playlistItem", **item}, self.tick(0))
        return self

    @staticmethod
    def tick(position_s: float) -> dict[str, Any]:
        return {"event": "time", "position": position_s, "duration": 653.8}

    def send(self, *events: dict[str, Any]) -> None:
        self.sock.sendall(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    def ack(self) -> None:
        """Wait until everything up to here is on flash."""
        self._n_acks += 1
        self.send({"event": "adImpression", "id": f"ack-{self._n_acks}"})
        while self._reply().get("ack") != f"ack-{self._n_acks}":
            pass

    def has_ack_within(self, seconds: float) -> bool:
        """Whether an ack comes by then."""
        self.sock.settimeout(seconds)
        try:
            self.ack()
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(PATIENCE_S)
        return True

    def close(self) -> None:
        self.sock.close()

    def _reply(self) -> dict[str, Any]:
        """The next reply.  What came before a timeout is kept."""
        while b"\n" not in self._unread:
            data = self.sock.recv(4096)
            assert data, "the daemon closed the connection"
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply


def pings(title: str) -> list[dict[str, str]]:
    """The parameters of each different ping that arrived for a title."""
    lines = map(json.loads, PINGS.read_text().splitlines())
    arrived = {line["target"]: line["params"] for line in lines if "target" in line}
    return [params for params in arrived.values() if params.get("t") == title]


def kinds(title: str) -> Counter[str]:
    """How many different pings of each kind arrived for a title."""
    return Counter(params["e"] for params in pings(title))


def wait_delivered(title: str, *wanted: str) -> Counter[str]:
    """Wait until at least one ping of each wanted kind arrived; all that arrived."""
    wait_until(lambda: set(wanted) <= kinds(title).keys(), f"{wanted} of {title!r} arrive: {kinds(title)}")
    return kinds(title)


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


def ext4(mount_point: Path, n_mib: int) -> None:
    """A small file system of its own at `mount_point`, which can be filled and frozen."""
    image = Path("/tmp/flash.img")
    with image.open("wb") as file:
        file.truncate(n_mib << 20)
    run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-O", "^has_journal", str(image))
    if not os.path.exists("/dev/loop-control"):
        os.mknod("/dev/loop-control", 0o20600, os.makedev(10, 237))
    number = int(run("losetup", "-f").strip().removeprefix("/dev/loop"))
    if not os.path.exists(f"/dev/loop{number}"):
        os.mknod(f"/dev/loop{number}", 0o60600, os.makedev(7, number))
    run("mount", "-o", f"loop=/dev/loop{number}", str(image), str(mount_point))
