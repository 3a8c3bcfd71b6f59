"""An mpv for tests: started, driven and watched."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from tests.processes import wait_until

PATIENCE_S = 30.0  # a machine under load; passing tests never wait so long
COMMAND = ("mpv", "--no-config", "--vo=null", "--ao=null", "--no-terminal", "--hr-seek=yes", "--idle=once")
"""Without screen and sound, at real speed; it waits for its first file and ends after it."""


class Mpv:
    """A running mpv, driven and watched over its JSON IPC.

    Every wait reads on, so that the wall time of each message is that of its arrival.
    """

    def __init__(self, ipc: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        wait_until(lambda: self._socket.connect_ex(ipc) == 0, "mpv listens", PATIENCE_S)
        self._lines = self._socket.makefile("rb")
        self._n_asked = 0
        self.position_s = -1.0
        self.ask(["observe_property", 0, "time-pos"])

    def load(self, film: Path, *, start_s: float) -> tuple[int, int]:
        """Plays `film` from `start_s`; wall ms of when it was loaded and when its first frame was shown."""
        self.ask(["set_property", "start", str(start_s)])
        # Not awaited: what follows may be told before the answer.
        self._write(["loadfile", os.fspath(film)])
        return self.wait_for("file-loaded"), self.wait_for("playback-restart")

    def ask(self, *commands: list[Any]) -> Any:
        """Has `commands` done in one go; the answer to the first."""
        first = self._write(*commands)
        while (message := self._next()).get("request_id") != first:
            pass
        assert message["error"] == "success", message
        return message.get("data")

    def wait_for(self, event: str) -> int:
        """Wall ms of the next `event`."""
        while self._next().get("event") != event:
            pass
        return now_ms()

    def wait_for_position(self, position_s: float) -> int:
        """Wall ms of when playback has reached `position_s`."""
        while self.position_s < position_s:
            self._next()
        return now_ms()

    def watch(self, *, seconds: float) -> None:
        """Reads on for so long."""
        ends_s = time.monotonic() + seconds
        while (left_s := ends_s - time.monotonic()) > 0:
            self.ask(["get_property", "time-pos"])
            time.sleep(min(0.1, left_s))

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _write(self, *commands: list[Any]) -> int:
        first = self._n_asked + 1
        self._n_asked += len(commands)
        requests = [{"command": each, "request_id": first + n} for n, each in enumerate(commands)]
        self._socket.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in requests))
        return first

    def _next(self) -> dict[str, Any]:
        line = self._lines.readline()
        assert line, "mpv has ended"
        message: dict[str, Any] = json.loads(line)
        if message.get("name") == "time-pos" and message.get("data") is not None:
            self.position_s = message["data"]
        return message


def now_ms() -> int:
    return time.time_ns() // 1_000_000
