"""Systemd, spoken to directly: sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3).

Where there is no systemd nothing happens, and nothing is raised.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress

FIRST_DESCRIPTOR = 3
"""Inherited descriptors start after standard error (sd_listen_fds(3))."""

MAX_DESCRIPTORS = 64
"""More than any unit of ours passes; a senseless LISTEN_FDS must not make us try a million."""

SEND_TIMEOUT_S = 1.0
"""Systemd takes messages at once; a hung one must not hang us."""

SIGNALS = frozenset({signal.SIGHUP, signal.SIGTERM, signal.SIGINT})
"""What a service is told by: read the configuration again, stop, stop."""


def ready(status: str = "") -> bool:
    """The start, or a reload, is done.  This and the others: True if systemd was told."""
    return _with_status("READY=1", status)


def reloading() -> bool:
    """The configuration is being read again; `ready` must follow."""
    return send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping() -> bool:
    """The stop has begun."""
    return send("STOPPING=1")


def status(text: str) -> bool:
    """One line for `systemctl status`."""
    return send(f"STATUS={_one_line(text)}")


def watchdog(status: str = "") -> bool:
    """Still alive."""
    return _with_status("WATCHDOG=1", status)


def extend_timeout(seconds: float, status: str = "") -> bool:
    """The start or stop under way needs `seconds` more, from now."""
    return _with_status(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}", status)


def send(*assignments: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send all `assignments` in one datagram to $NOTIFY_SOCKET."""
    if not is_heard(environ):
        return False
    address = environ["NOTIFY_SOCKET"]
    if address.startswith("@"):  # the abstract name space of unix(7)
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(SEND_TIMEOUT_S)
        sender.sendto("\n".join(assignments).encode("utf-8", "replace"), address)
        return True
    return False


def is_heard(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether there is somebody to tell."""
    return environ.get("NOTIFY_SOCKET", "")[:1] in ("/", "@")


def watchdog_interval_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """How often to call `watchdog`: half the time that systemd allows; None if it expects nothing."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    allowed_us = _whole(environ.get("WATCHDOG_USEC"))
    return allowed_us / 2_000_000 if allowed_us else None


def inherited_sockets(environ: MutableMapping[str, str] = os.environ) -> dict[str, socket.socket]:
    """The listening Unix stream sockets that systemd opened for us, by FileDescriptorName=; non-blocking.

    Call it once: the variables are removed, so that no child takes the sockets for its own.  What
    is no such socket, or has a name that came before, is closed.
    """
    is_ours = environ.get("LISTEN_PID") == str(os.getpid())
    n_descriptors = min(_whole(environ.get("LISTEN_FDS")), MAX_DESCRIPTORS) if is_ours else 0
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"):
        environ.pop(variable, None)
    found: dict[str, socket.socket] = {}
    for idx, candidate in _sockets(n_descriptors):
        name = (names[idx] if idx < len(names) else "") or "unknown"
        if name in found or not _is_listening_stream(candidate):
            candidate.close()
            continue
        candidate.setblocking(False)
        found[name] = candidate
    return found


def _sockets(n_descriptors: int) -> Iterator[tuple[int, socket.socket]]:
    """The sockets among the first inherited descriptors, with their index, closed to children."""
    for idx in range(n_descriptors):
        with suppress(OSError):
            os.set_inheritable(FIRST_DESCRIPTOR + idx, False)
            yield idx, socket.socket(fileno=FIRST_DESCRIPTOR + idx)


def _is_listening_stream(candidate: socket.socket) -> bool:
    if candidate.family != socket.AF_UNIX or candidate.type != socket.SOCK_STREAM:
        return False
    return bool(candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def _with_status(assignment: str, status: str) -> bool:
    return send(assignment, *([f"STATUS={_one_line(status)}"] if status else []))


def _one_line(text: str) -> str:
    return " ".join(text.split())
