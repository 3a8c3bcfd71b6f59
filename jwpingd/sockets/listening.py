"""The daemon's own end: sockets that are bound without a window, and one daemon per directory.

A socket is bound before anything heavy is imported, so nothing heavy is imported here either.
"""

from __future__ import annotations

import _socket  # What `socket` puts around it takes as long to import as all else that is needed here.
import errno
import fcntl
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from jwpingd.errors import AlreadyRunning, OperatorError

if TYPE_CHECKING:
    import socket

MAX_PATH_BYTES = 107
"""`sun_path` of unix(7) is 108 bytes with its final NUL."""

BACKLOG = 1024
"""Connections that may wait to be accepted: more than may be held, so that those too many can be told."""

Place = str | os.PathLike[str]


def bind(path: Place, *, mode: int, group: str | None) -> socket.socket:
    """A listening, non-blocking stream socket at `path` with exactly `mode` and `group`.

    It becomes visible only once it is complete.  A stale socket is replaced.  Raises AlreadyRunning
    where one answers, OperatorError where the path cannot be used.
    """
    import socket

    listener = socket.socket(fileno=listen(path, mode=mode, group=group))
    listener.setblocking(False)
    return listener


def listen(path: Place, *, mode: int, group: str | None) -> int:
    """The same as a descriptor, for those who have no time for more."""
    path = os.fspath(path)
    _refuse_long(path)
    gid = None if group is None else _gid(group)
    try:
        _make_directory(_parent(path))
        _refuse_live(path)
        return _bind_hidden_then_rename(path, mode, gid)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise OperatorError(
            f"cannot listen on {path}: {_words(error)}; let the daemon's user write its directory, or "
            f"{_another(path)}"
        ) from error


def lock(directory: Place) -> int:
    """A descriptor of the directory, locked for as long as it is open.

    The kernel lets go of it when the process ends, however it ends.  No file is needed, so it can be had
    on flash that is full or read-only; and no file system is asked about directories, so it can be had on
    overlays and network file systems, too.  A missing directory is made for this user alone.  Raises
    AlreadyRunning or OperatorError.
    """
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise OperatorError(
            f"cannot open {directory}: {_words(error)}; make it for the daemon's user, or name another "
            "with STATE_DIRECTORY"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise AlreadyRunning(
            f"another jwpingd uses {directory}; stop it, or give this one a state "
            "directory of its own with STATE_DIRECTORY"
        ) from error
    except OSError as error:
        os.close(descriptor)
        raise OperatorError(f"cannot lock {directory}: {_words(error)}") from error
    return descriptor


def _refuse_long(path: str) -> None:
    n_bytes = len(os.fsencode(path))
    if n_bytes > MAX_PATH_BYTES:
        raise OperatorError(
            f"the socket path {path} has {n_bytes} bytes and the kernel takes {MAX_PATH_BYTES}; "
            "set a shorter socket.path"
        )


def _gid(group: str) -> int:
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise OperatorError(f"the group {group!r} of socket.group does not exist; create it") from error


def _make_directory(directory: str) -> None:
    """Make what is missing of `directory`, open to all users whatever the umask: players must pass."""
    if os.path.isdir(directory):
        return
    _make_directory(_parent(directory))
    try:
        os.mkdir(directory)
    except FileExistsError:  # Somebody else made it, or it is a file, whose mode is not ours to set.
        return
    os.chmod(directory, 0o755)


def _refuse_live(path: str) -> None:
    """Return if there is nothing at `path`, or a socket that nobody listens on."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise OperatorError(f"{path} is there and is no socket; remove it, or {_another(path)}")
    probe = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        # Non-blocking: a live daemon whose backlog is full must not hold us up.
        probe.setblocking(False)
        outcome = probe.connect_ex(path)
    finally:
        probe.close()
    if outcome in (errno.ECONNREFUSED, errno.ENOENT):
        return
    if outcome in (0, errno.EAGAIN, errno.EPROTOTYPE):
        raise AlreadyRunning(
            f"something answers on {path}: another jwpingd is running; stop it, or {_another(path)}"
        )
    raise OSError(outcome, os.strerror(outcome))


def _bind_hidden_then_rename(path: str, mode: int, gid: int | None) -> int:
    """Bind in a directory that nobody else may enter, finish the socket there, move it to `path`."""
    hidden = os.path.join(_parent(path), f".{os.getpid()}")
    _clear(hidden)
    os.mkdir(hidden, mode=0o700)
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        _bind_below(listener, hidden)
        unfinished = os.path.join(hidden, "s")
        if gid is not None:
            os.chown(unfinished, -1, gid)
        os.chmod(unfinished, mode)
        listener.listen(BACKLOG)
        os.rename(unfinished, path)
    except BaseException:
        listener.close()
        raise
    finally:
        _clear(hidden)
    return listener.detach()


def _bind_below(listener: _socket.socket, hidden: str) -> None:
    """Bind as `hidden`/s, by way of /proc if the name would be too long for the kernel."""
    direct = os.path.join(hidden, "s")
    if len(os.fsencode(direct)) <= MAX_PATH_BYTES:
        listener.bind(direct)
        return
    descriptor = os.open(hidden, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{descriptor}/s")
    finally:
        os.close(descriptor)


def _clear(hidden: str) -> None:
    """Remove what a daemon that died half-way left under this name."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(hidden, "s"))
    with suppress(FileNotFoundError):
        os.rmdir(hidden)


def _another(path: str) -> str:
    """How to have it elsewhere: the place of the operator's socket follows from its directory alone."""
    if os.path.basename(path) == "control.sock":
        return "name another directory with RUNTIME_DIRECTORY"
    return "set another socket.path"


def _parent(path: str) -> str:
    return os.path.dirname(path) or "."


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
