"""The operator's side.  Blocking: a command asks, prints, and ends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jwpingd.control.lines import MAX_ANSWER_BYTES, VERSION
from jwpingd.errors import NotRunning, OperatorError


def ask(path: Path, command: str, timeout_s: float = 5.0, **arguments: Any) -> dict[str, Any]:
    """Send one command to the daemon and return its answer.  Raises OperatorError."""
    with _asked(path, command, timeout_s, arguments) as lines:
        return _read_answer(path, lines)


def follow(path: Path, command: str, timeout_s: float = 5.0, **arguments: Any) -> Iterator[dict[str, Any]]:
    """Send one command and yield what the daemon tells, for as long as it runs.  Raises OperatorError."""
    with _asked(path, command, timeout_s, arguments) as lines:
        _read_answer(path, lines)
        lines.sock.settimeout(None)
        while True:
            try:
                told = _read_object(path, lines)  # It may tell of errors, of players say.
            except _Ended:
                return
            yield told


class _Ended(OperatorError):
    """The daemon closed the connection."""


class _Lines:
    """The lines that come over a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._held = bytearray()

    def next_line(self) -> bytes:
        """One line without its end; b"" at the end of the connection.  Raises OSError."""
        while b"\n" not in self._held and len(self._held) < MAX_ANSWER_BYTES:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self._held += data
        line, _, self._held = self._held.partition(b"\n")
        return bytes(line)


@contextlib.contextmanager
def _asked(path: Path, command: str, timeout_s: float, arguments: Mapping[str, Any]) -> Iterator[_Lines]:
    request = json.dumps({"version": VERSION, "command": command, **arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(os.fspath(path))
            with contextlib.suppress(BrokenPipeError):  # One that has no time says so, and does not listen.
                sock.sendall(request)
        except (FileNotFoundError, ConnectionRefusedError) as exc:
            raise NotRunning(f"no jwpingd answers on {path}; is it running? (jwpingd run)") from exc
        except PermissionError as exc:
            raise OperatorError(f"user {os.geteuid()} may not use {path}; ask as root") from exc
        except OSError as exc:
            raise OperatorError(f"jwpingd on {path} cannot be asked: {exc.strerror or exc}") from exc
        yield _Lines(sock)


def _read_answer(path: Path, lines: _Lines) -> dict[str, Any]:
    answer = _read_object(path, lines)
    if "error" in answer:
        raise OperatorError(str(answer["error"]))
    return answer


def _read_object(path: Path, lines: _Lines) -> dict[str, Any]:
    try:
        line = lines.next_line()
        answer = json.loads(line) if line else None
    except TimeoutError as exc:
        message = f"jwpingd on {path} runs but does not answer: it is stopped, or the box is very busy"
        raise OperatorError(f"{message}; ask again, and look into its log if it stays so") from exc
    except (OSError, ValueError) as exc:
        raise OperatorError(f"jwpingd on {path} did not answer as it should: {exc}") from exc
    if answer is None:
        raise _Ended(f"jwpingd on {path} closed the connection without an answer")
    if not isinstance(answer, dict):
        raise OperatorError(f"jwpingd on {path} did not answer as it should: no JSON object")
    return answer
