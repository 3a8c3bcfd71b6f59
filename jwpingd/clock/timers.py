"""Waits on the kernel's timers: one that standby does not stop, and one that tells of clock steps.

Trio's own deadlines run on CLOCK_MONOTONIC, which stops in standby: half an hour set before a
night of standby would still have half an hour to go after it.  Python has timerfd from 3.13 only,
so it is called through ctypes.  Trio is imported where it waits: commands that only read the clock
do not pay for it.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from jwpingd.clock.reading import boottime_ms, monotonic_ms

SHORT_WAIT_S = 5.0
"""Up to this a trio deadline will do: cheaper than a timer, and standby delays it by no more."""

POLL_S = 60.0
"""How long to wait at once where the kernel has no timerfd, and so how late standby can make us."""

STANDBY_MS = 1000
"""BOOTTIME and MONOTONIC part by no less in standby.  Read one after the other they differ by a little."""

_TFD_TIMER_ABSTIME = 1
_TFD_TIMER_CANCEL_ON_SET = 2
_NEVER_S = 2 ** (8 * ctypes.sizeof(ctypes.c_long) - 1) - 1
"""The largest time_t that libc takes: the year 2038 where it has 32 bits."""


async def sleep_until_boot_ms(boot_ms: int) -> None:
    """Return when CLOCK_BOOTTIME has reached `boot_ms`, standby included; at once if it is past.

    Without timerfd (none left, or forbidden), wait in pieces of `POLL_S`.
    """
    import trio

    await trio.lowlevel.checkpoint()
    while (left_s := (boot_ms - boottime_ms()) / 1000) > 0:
        if left_s <= SHORT_WAIT_S:
            await trio.sleep(left_s)
            continue
        try:
            await _wait_on_timer(time.CLOCK_BOOTTIME, boot_ms, _TFD_TIMER_ABSTIME)
        except OSError:
            await trio.sleep(min(left_s, POLL_S))


async def wait_for_step(has_stepped: Callable[[], bool]) -> None:
    """Return when the wall clock is set.  To the kernel a return from standby is a setting too.

    `has_stepped` is asked once the timer is armed, so that no step between two waits is lost.
    Without timerfd it, and the time spent in standby, are looked at every `POLL_S` instead.
    """
    import trio

    await trio.lowlevel.checkpoint()
    try:
        await _wait_on_timer(
            time.CLOCK_REALTIME, None, _TFD_TIMER_ABSTIME | _TFD_TIMER_CANCEL_ON_SET, has_stepped
        )
    except OSError as error:
        if error.errno == errno.ECANCELED:
            return
    if has_stepped():
        return
    # There is no timerfd, or the clock is beyond what a 32-bit one can wait for: nothing but looking.
    standby_ms = _standby_ms()
    while True:
        if has_stepped() or _standby_ms() - standby_ms >= STANDBY_MS:
            return
        await trio.sleep(POLL_S)


async def _wait_on_timer(
    clock: int, at_ms: int | None, flags: int, is_over: Callable[[], bool] = lambda: False
) -> None:
    """Wait until a timer on `clock` fires at `at_ms` (None: never).  ECANCELED: the clock was set."""
    import trio

    with _timer(clock, at_ms, flags) as descriptor:
        while not is_over():
            await trio.lowlevel.wait_readable(descriptor)
            with suppress(BlockingIOError):
                os.read(descriptor, 8)
                return


def _standby_ms() -> int:
    return boottime_ms() - monotonic_ms()


@contextmanager
def _timer(clock: int, at_ms: int | None, flags: int) -> Iterator[int]:
    """The descriptor of an armed timerfd.  Raises OSError where there is none to be had."""
    libc = _libc()
    descriptor = libc.timerfd_create(clock, os.O_CLOEXEC | os.O_NONBLOCK)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    try:
        setting = _Itimerspec()
        if at_ms is None:
            setting.value_s = _NEVER_S
        else:
            # A value of 0 would disarm the timer.
            setting.value_s, at_rest_ms = divmod(max(1, at_ms), 1000)
            setting.value_ns = at_rest_ms * 1_000_000
        if libc.timerfd_settime(descriptor, flags, ctypes.byref(setting), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        yield descriptor
    finally:
        os.close(descriptor)


class _Itimerspec(ctypes.Structure):
    """`struct itimerspec` as the plain symbol `timerfd_settime` takes it: every part a long."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "timerfd_create"):
        raise OSError(errno.ENOSYS, "this C library has no timerfd")
    return libc
