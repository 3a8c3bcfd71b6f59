"""What the kernel and the time service say of the clocks.  Nothing here decides anything."""

from __future__ import annotations

import ctypes
import functools
import secrets
import time
from pathlib import Path

TIMESYNC_FLAG = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd whenever it has heard a time server (systemd-timesyncd.service(8))."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC = 0x0040  # adjtimex(2): the clock is not synchronised
_NS_PER_MS = 1_000_000


@functools.cache
def boot_id() -> str:
    """The kernel's random id of this boot; read once, for it cannot change while we run.

    Where /proc hides it, an id of this process.  Then a restarted daemon takes itself for another
    boot and loses exactness.  Anything that two boots could share (btime is 1970 on every boot of a
    box without a battery clock) would join times that have nothing to do with each other.
    """
    return read_boot_id(_BOOT_ID)


def read_boot_id(path: Path) -> str:
    """The id in `path`, else a random one that starts with "process-"."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, ValueError):
        text = ""
    return text or f"process-{secrets.token_hex(16)}"


def boottime_ms() -> int:
    """Milliseconds since the box booted, standby included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_MS


def monotonic_ms() -> int:
    """Milliseconds since the box booted, standby left out."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // _NS_PER_MS


def wall_ms() -> int:
    """Unix time as the box has it, right or wrong."""
    return time.time_ns() // _NS_PER_MS


def timesync_flag_ms() -> int | None:
    """When systemd-timesyncd last set or slewed the clock, by the clock it made; None before that."""
    try:
        return TIMESYNC_FLAG.stat().st_mtime_ns // _NS_PER_MS
    except OSError:
        return None


def is_kernel_synchronised() -> bool | None:
    """Whether a time service keeps the clock, whichever it is; None where adjtimex(2) is forbidden."""
    try:
        libc = ctypes.CDLL(None)
        timex = _Timex()
        if libc.adjtimex(ctypes.byref(timex)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return not timex.status & _STA_UNSYNC


class _Timex(ctypes.Structure):
    """`struct timex` up to its status.  `modes` 0 only reads.

    Every C library keeps this order; the rest is room, more than the 208 bytes of the largest.
    """

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("_rest", ctypes.c_char * 512),
    )
