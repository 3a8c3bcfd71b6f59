"""Real processes for slow tests: a box with its daemon, a collector, a player's connection."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jwpingd import control
from jwpingd.errors import OperatorError

ANALYTICS_ID = "a17e8PTFFffxLgpVuA4vVw"
PATIENCE_S = 20.0  # a machine under load; passing tests never wait so long


def wait_until(holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Look again every few milliseconds; fail with `what` when patience is at its end."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(0.01)


def check_account(status: dict[str, Any]) -> None:
    """Every accepted ping is accounted for."""
    gone = status["delivered"] + status["set_aside"] + status["folded"] + sum(status["dropped"].values())
    assert status["accepted"] == gone + status["waiting"], status


def free_port() -> int:
    """A TCP port on loopback that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class CollectorProcess:
    """`jwpingd collector --json` on a port of its own; `pings` grows as they arrive."""

    def __init__(self, port: int, *options: str) -> None:
        command = [sys.executable, "-m", "jwpingd", "collector", "--port", str(port), "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.pings: list[dict[str, Any]] = []
        self.report: dict[str, Any] = {}
        self._is_listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._is_listening.wait(PATIENCE_S)

    def stop(self) -> list[dict[str, Any]]:
        """End it; all pings it took."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return self.pings

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                value = json.loads(line)
                if "report" in value:
                    self.report = value["report"]
                elif "target" in value:
                    self.pings.append(value)
                self._is_listening.set()


class PlayerConnection:
    """A player: writes lines, reads replies."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(os.fspath(path))
        self._replies = self.sock.makefile("rb")
        self._n_acks = 0

    def send(self, *events: dict[str, Any]) -> None:
        """Write events, one line each."""
        self.sock.sendall(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    def send_and_wait(self, *events: dict[str, Any]) -> None:
        """Write events and return when the last is acknowledged: all they made is on flash."""
        self._n_acks += 1
        ack_id = f"ack-{self._n_acks}"
        self.send(*events[:-1], {**events[-1], "id": ack_id})
        while (reply := self.reply()).get("ack") != ack_id:
            assert "error" not in reply, reply

    def reply(self) -> dict[str, Any]:
        """The next reply."""
        line = self._replies.readline()
        assert line, "the daemon closed the connection"
        value: dict[str, Any] = json.loads(line)
        return value

    def close(self) -> None:
        self._replies.close()
        self.sock.close()


_NOT_A_SERVICES = ("NOTIFY_SOCKET", "PYTHONUNBUFFERED")
"""Variables that the test run may have and a service of its own has not."""


class BoxUnderTest:
    """A box: its directories outlive its daemon, which is started, stopped and killed at will."""

    def __init__(self, directory: Path, port: int, *settings: str) -> None:
        self.directory = directory
        self.port = port
        self.settings = [
            f"analytics_id={ANALYTICS_ID}",
            f"collector_url=http://127.0.0.1:{port}",
            "clock.trust=always",
            "uplink.start_jitter_s=0",
            *settings,
        ]
        self.program = [sys.executable, "-m", "jwpingd"]
        self.process: subprocess.Popen[bytes] | None = None
        self.log = directory / "log"

    @property
    def environment(self) -> dict[str, str]:
        """As systemd would set it, without systemd."""
        return {
            **{name: value for name, value in os.environ.items() if name not in _NOT_A_SERVICES},
            "STATE_DIRECTORY": str(self.directory / "state"),
            "RUNTIME_DIRECTORY": str(self.directory / "run"),
            "CONFIGURATION_DIRECTORY": str(self.directory / "etc"),
        }

    @property
    def player_socket(self) -> Path:
        return self.directory / "run/player.sock"

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        command = [*self.program, "run"]
        for setting in self.settings:
            command += ["--set", setting]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stderr=log)
        wait_until(self._answers, "the daemon answers on its control socket")

    def connect(self) -> PlayerConnection:
        return PlayerConnection(self.player_socket)

    def status(self) -> dict[str, Any]:
        return control.ask(self.directory / "run/control.sock", "status")

    def kill(self) -> None:
        """Pull the plug, as far as the process is concerned."""
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """SIGTERM; how many seconds it took."""
        began_s = time.monotonic()
        status = self._end(signal.SIGTERM)
        assert status == 0, f"exit status {status}\n{self._log_text()}"
        return time.monotonic() - began_s

    def rss_bytes(self) -> int:
        assert self.process is not None
        n_pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return n_pages * os.sysconf("SC_PAGE_SIZE")

    def _end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def _log_text(self) -> str:
        """What it logged; no more than fits a report, as a log may be a device without an end."""
        with self.log.open(errors="replace") as log:
            return log.read(1 << 20).strip("\0")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self._log_text()
        try:
            self.status()
        except OperatorError:
            return False
        return True
