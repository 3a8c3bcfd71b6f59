"""What another C library or CPU might do differently: structures of the kernel, spelled out in Python.

Run by tests/arm/run in an ARM userland, and by the suite here.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import trio

from jwpingd.clock import reading, timers
from jwpingd.sockets import credentials, listening

ROUTE_GROUPS = 1 | 0x10 | 0x100  # links, and addresses of IPv4 and IPv6 (rtnetlink(7))


def test_peer_credentials_are_ours(tmp_path: Path) -> None:
    """SO_PEERCRED tells this very process."""
    path = tmp_path / "s"
    with listening.bind(path, mode=0o600, group=None) as listener, socket.socket(socket.AF_UNIX) as us:
        us.connect(str(path))
        connection, _ = listener.accept()
        with connection:
            peer = credentials.peer(connection)
    assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.getuid(), os.getgid())


def test_a_boottime_timer_fires_when_it_should() -> None:
    """A timerfd on CLOCK_BOOTTIME takes the time as it was meant: neither at once nor never."""

    async def main() -> None:
        at_ms = reading.boottime_ms() + 300
        with trio.fail_after(60):
            await timers._wait_on_timer(time.CLOCK_BOOTTIME, at_ms, timers._TFD_TIMER_ABSTIME)
        assert reading.boottime_ms() >= at_ms

    trio.run(main)


def test_a_step_timer_waits() -> None:
    """The timer that tells of clock steps is armed for the far future, and quiet until then."""

    async def main() -> None:
        flags = timers._TFD_TIMER_ABSTIME | timers._TFD_TIMER_CANCEL_ON_SET
        with trio.move_on_after(0.3) as scope:
            await timers._wait_on_timer(time.CLOCK_REALTIME, None, flags)
        assert scope.cancelled_caught

    trio.run(main)


def test_netlink_tells_of_networks() -> None:
    """The socket that hears of links and addresses can be had."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as listener:
        listener.bind((0, ROUTE_GROUPS))
        assert listener.getsockname()[1] == ROUTE_GROUPS
