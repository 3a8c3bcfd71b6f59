"""Threads for what would hold up the event loop: commits, and looking players up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import trio

from jwpingd.writer import RunBlocking

T = TypeVar("T")

_log = logging.getLogger("jwpingd")

_THREADS = trio.CapacityLimiter(4)  # Of our own: lookups of names that hang hold trio's, all 40 in the end.
MAX_LOOK_UPS = 2  # at a time; the others wait in line
NO_THREAD_WAIT_S = 0.5  # until the system is asked for a thread again

_at_work = set[object]()


def is_any_at_work() -> bool:
    """Whether one that nobody waits for is still at it, when the process is about to end.

    Its end must then be `os._exit`: `exit` takes the locks of OpenSSL away from a thread that reads
    certificates, and the process dies of it (SIGSEGV).
    """
    return bool(_at_work)


async def run_in_thread(work: Callable[[], T], /) -> T:
    """Off the event loop.  A stop does not wait for a thread that hangs in the kernel."""
    return await _run_in_thread(work, _THREADS)


def few_threads() -> RunBlocking:
    """Threads for looking players up: so few that those which hang leave enough for commits."""
    limiter = trio.CapacityLimiter(MAX_LOOK_UPS)

    async def run(work: Callable[[], T], /) -> T:
        return await _run_in_thread(work, limiter)

    return run


async def _run_in_thread(work: Callable[[], T], limiter: trio.CapacityLimiter) -> T:
    """Where the system gives no thread, as it may when its memory or a limit is used up, wait for one."""
    has_begun = has_warned = False

    def begin() -> T:
        nonlocal has_begun
        has_begun = True
        mark = object()
        _at_work.add(mark)
        try:
            return work()
        finally:
            _at_work.discard(mark)

    while True:
        try:
            return await trio.to_thread.run_sync(begin, abandon_on_cancel=True, limiter=limiter)
        except RuntimeError as exc:
            if has_begun:
                raise
            if not has_warned:
                _log.warning("%s (see TasksMax, ulimit -u, memory): waiting for one", exc)
            has_warned = True
        await trio.sleep(NO_THREAD_WAIT_S)
