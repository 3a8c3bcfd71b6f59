"""The socket of a simulated player: where it is, what is written to it, and what the daemon says."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jwpingd.config import paths
from jwpingd.errors import OperatorError
from jwpingd.film import FilmEvent
from jwpingd.plural import counted

_SERVICE_SOCKET = Path("/run/jwpingd/player.sock")


class Answer(NamedTuple):
    """What the daemon said up to the answer to the last event."""

    is_acknowledged: bool
    errors: tuple[str, ...]


def default_socket() -> Path:
    """Where a daemon of this user makes it, else the service's; the former if there is neither."""
    own = paths.locate().runtime_dir / "player.sock"
    return _SERVICE_SOCKET if _SERVICE_SOCKET.exists() and not own.exists() else own


def connect(path: Path, timeout_s: float) -> socket.socket:
    """Raises OperatorError with the way out, as everything here does."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except OSError as exc:
        connection.close()
        raise OperatorError(f"cannot connect to {path}: {exc.strerror or exc}; {_way_out(exc)}") from exc
    return connection


def _way_out(exc: OSError) -> str:
    if isinstance(exc, PermissionError):
        return "the daemon's [socket] group and mode decide who may"
    if isinstance(exc, FileNotFoundError | ConnectionRefusedError):
        return "start the daemon (`jwpingd run`, or its systemd service), or name its socket with --socket"
    return "name the daemon's socket with --socket"


def write(connection: socket.socket, due: Iterator[FilmEvent]) -> int:
    """Writes each event as one line; returns how many."""
    n_written = 0
    for event in due:
        _send(connection, json.dumps(event).encode("ascii") + b"\n", n_written)
        n_written += 1
    return n_written


def _send(connection: socket.socket, line: bytes, n_written: int) -> None:
    try:
        connection.sendall(line)
    except TimeoutError as exc:
        raise OperatorError(
            f"the daemon stopped reading after {counted(n_written, 'event')}; see its log"
        ) from exc
    except OSError as exc:
        raise OperatorError(
            f"the daemon closed the connection after {counted(n_written, 'event')}"
            f"{_last_words(connection)}; see its log"
        ) from exc


def wait_for_ack(connection: socket.socket, ack_id: str, timeout_s: float) -> Answer:
    """Reads replies up to the answer to `ack_id`, the last event."""
    errors: list[str] = []
    try:
        with connection.makefile("rb") as replies:
            for reply in map(_reply, replies):
                if "error" in reply:
                    errors.append(_in_words(reply))
                if ack_id in (reply.get("ack"), reply.get("id")):
                    return Answer("ack" in reply, tuple(errors))
    except TimeoutError as exc:
        raise OperatorError(
            f"no acknowledgement within {timeout_s:g} s: the daemon cannot write to its store, or does not "
            "run on; see `jwpingd status`"
        ) from exc
    except ConnectionError:
        pass  # Closed with lines unread: as good as closed.
    except ValueError as exc:
        raise OperatorError(f"this is no player socket of jwpingd: {exc}") from exc
    told = f": {errors[-1]}" if errors else "; see its log"
    raise OperatorError(f"the daemon closed the connection before it acknowledged the last event{told}")


def _reply(line: bytes) -> dict[str, object]:
    """One line of the daemon.  Raises ValueError for anything but a JSON object."""
    reply = json.loads(line)
    if not isinstance(reply, dict):
        raise ValueError(f"it answered {line[:80]!r}")
    return reply


def _in_words(reply: dict[str, object]) -> str:
    return f"{reply['error']}: {reply.get('message', '')} (line {reply.get('line', '?')})"


def _last_words(connection: socket.socket) -> str:
    """Why the daemon hung up, if it said so: `too-many-connections`, `not-allowed`."""
    try:
        line = connection.recv(4096).partition(b"\n")[0]
        return f": {_in_words(_reply(line))}"
    except (OSError, ValueError, KeyError):
        return ""
