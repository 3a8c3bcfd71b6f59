"""Sockets whose files are removed while the daemon runs, as cleaners of /tmp do, are bound again."""

from __future__ import annotations

import logging

import trio

from jwpingd.errors import OperatorError
from jwpingd.sockets.door import Door
from jwpingd.sockets.removal import wait_removed

_log = logging.getLogger("jwpingd")

AGAIN_AFTER_S = 1.0  # Whoever keeps removing it gets one line a second, no more.
RETRY_AFTER_S = 30.0  # a directory that has gone, or is not ours to write, is seldom back sooner


async def keep_open(door: Door) -> None:
    """Until cancelled, or until the kernel cannot tell.  An idle daemon stays asleep."""
    if not door.path.startswith("/"):
        return  # An abstract name, which nobody can remove.
    while True:
        try:
            await wait_removed(door.path)
        except OSError as exc:
            _log.debug("'%s' is not watched: %s; should it be removed, restart jwpingd", door.path, exc)
            return
        if not door.is_ours:
            _log.error("'%s' was removed; nobody can connect before its unit is restarted", door.path)
            return
        await _open_again(door)
        await trio.sleep(AGAIN_AFTER_S)


async def _open_again(door: Door) -> None:
    is_told_of = False
    while True:
        try:
            door.open_again()
        except OperatorError as exc:
            if not is_told_of:
                _log.error("'%s' was removed: %s; trying again every %.0f s", door.path, exc, RETRY_AFTER_S)
            is_told_of = True
            await trio.sleep(RETRY_AFTER_S)
            continue
        _log.warning("'%s' was removed, and is there again; keep cleaners from it", door.path)
        return
