"""Waits until the file of a socket is removed, as cleaners of /tmp do.  The kernel tells (inotify(7))."""

from __future__ import annotations

import ctypes
import os

import trio

_IN_ATTRIB = 0x4  # Of a socket that is still listened on, this alone tells that its name is gone.
_IN_DELETE_SELF, _IN_MOVE_SELF = 0x400, 0x800
_EVENTS_BYTES = 4096  # several events; what they say is of no interest, only that they came


async def wait_removed(path: str) -> None:
    """Return when what is at `path` now is no longer there; at once where there is nothing.

    Nothing is looked at meanwhile: who waits stays asleep.  Raises OSError where the kernel cannot tell.
    """
    await trio.lowlevel.checkpoint()
    inode = _inode(path)
    if inode is None:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    try:
        events = _IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF
        if libc.inotify_add_watch(descriptor, os.fsencode(path), events) < 0 and _inode(path) == inode:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        while _inode(path) == inode:
            await trio.lowlevel.wait_readable(descriptor)
            os.read(descriptor, _EVENTS_BYTES)
    finally:
        os.close(descriptor)


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
