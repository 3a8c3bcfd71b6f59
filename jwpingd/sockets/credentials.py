"""Who is calling: the kernel's word, and whether the pid in it still means the same process.

A pid is given to another process as soon as its owner is gone and waited for.  What was read of it in
/proc counts only if `is_still_there` says so afterwards.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple

SO_PEERPIDFD = 77
"""Of asm-generic/socket.h, Linux 6.5; Python has no name for it yet."""

_CREDENTIALS = struct.Struct("3i")
_START_TIME = 19
"""Which field of /proc/PID/stat after the command's name is the start time: 22 - 3 (proc_pid_stat(5))."""


class Peer(NamedTuple):
    """Who connected, by the kernel's word at the time of connect(); the pid may be another's by now.

    `start_ticks` is when the process that had the pid at accept() was started, in clock ticks since
    boot; None where that could not be read.
    """

    pid: int
    uid: int
    gid: int
    start_ticks: int | None = None


def peer(connection: socket.socket) -> Peer:
    """Who is at the other end of an accepted connection (SO_PEERCRED, unix(7))."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(found)
    # uid and gid are unsigned in the kernel.
    return Peer(pid, uid & 0xFFFFFFFF, gid & 0xFFFFFFFF, _start_ticks(pid))


def is_still_there(connection: socket.socket, known: Peer) -> bool:
    """Whether the pid of `known` still means the process that connected.

    Linux 6.5 and later know exactly.  Earlier ones are asked whether pid, start time and user are
    those of accept(): only a pid that was reused between connect() and accept(), by the same user, is
    taken for the peer's.
    """
    try:
        pidfd = connection.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError as exc:
        return exc.errno != errno.ESRCH and _seems_still_there(known)
    try:
        return _pid_of(pidfd) == known.pid
    finally:
        os.close(pidfd)


def has_pidfd() -> bool:
    """Whether this kernel can say exactly which process is at the other end (SO_PEERPIDFD)."""
    one, other = socket.socketpair()
    with one, other:
        try:
            os.close(one.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD))
        except OSError:
            return False
    return True


def _seems_still_there(known: Peer) -> bool:
    if known.start_ticks is None or _start_ticks(known.pid) != known.start_ticks:
        return False
    return known.uid in _uids(known.pid)


def _pid_of(pidfd: int) -> int | None:
    """The pid behind a pidfd: -1 once it was waited for, None where /proc does not tell."""
    return next(iter(_numbers(Path(f"/proc/self/fdinfo/{pidfd}"), "Pid:")), None)


def _uids(pid: int) -> list[int]:
    """Real, effective, saved and file system uid."""
    return _numbers(Path(f"/proc/{pid}/status"), "Uid:")


def _numbers(path: Path, name: str) -> list[int]:
    """The numbers of the line of `path` that begins with `name`; none where there is no such line."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [int(number) for line in lines if line.startswith(name) for number in line.split()[1:]]


def _start_ticks(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
        # The command's name stands in parentheses and may contain anything, parentheses too.
        return int(text.rpartition(b")")[2].split()[_START_TIME])
    except (OSError, ValueError, IndexError):
        return None
