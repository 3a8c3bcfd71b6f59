"""Tells that the box's network changed: a link, an address or a default route came, went or became usable.

The kernel says so over netlink (rtnetlink(7)); nothing is asked and nothing polled, so a network that
rests wakes nobody.  Messages that only repeat what is known (a wireless scan, the next router
advertisement) are no change.  Knows nothing of what a change is good for.
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import trio

SETTLE_S = 0.5  # An interface that comes up tells its link, addresses and routes one after the other.
MAX_KNOWN = 1024  # links, addresses and default routes; beyond that the oldest is forgotten
RECEIVE_BYTES = 32 * 1024  # the kernel's messages are no larger (NLMSG_GOODSIZE), and none is long

_log = logging.getLogger("jwpingd.network")

_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # RTMGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, destination length, …, table at 4, …
_ATTRIBUTE = struct.Struct("=HH")  # struct rtattr: length, type
_INDEX, _NO_INDEX = struct.Struct("=i"), bytes(4)
# RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR, RTM_NEWROUTE, RTM_DELROUTE
_NEW_LINK, _DELETED_LINK, _NEW_ADDRESS, _DELETED_ADDRESS, _NEW_ROUTE, _DELETED_ROUTE = 16, 17, 20, 21, 24, 25
_IS_USABLE = 0x1 | 0x40  # IFF_UP, IFF_RUNNING: there is a carrier
_IS_LOOPBACK = 0x8  # IFF_LOOPBACK
_IS_TENTATIVE = 0x40  # IFA_F_TENTATIVE: not to be used before it is known to be nobody else's
_LOCAL_ADDRESS, _ADDRESS_OF = 2, 1  # IFA_LOCAL, IFA_ADDRESS
_GATEWAY, _OUT_INTERFACE = 5, 4  # RTA_GATEWAY, RTA_OIF


class Fact(NamedTuple):
    """Something of the network, and its state now; `state` None: it is gone.

    The key begins with what it is, and the index of its interface.
    """

    key: tuple[object, ...]
    state: int | None

    @property
    def is_link_down(self) -> bool:
        """An interface that cannot be used: its addresses and routes must be told anew."""
        return self.key[0] == "link" and self.state != _IS_USABLE


async def watch(tell: Callable[[], None]) -> None:
    """Call `tell` once for each spell of changes, `SETTLE_S` after its first; until cancelled.

    Where netlink is forbidden, or breaks, it says so once and returns.
    """
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        ) as sock:
            sock.bind((0, _GROUPS))
            await _tell_of_changes(trio.socket.from_stdlib_socket(sock), tell)
    except OSError as exc:
        _log.info("changes of the network cannot be seen here (%s); waits run to their end", exc.strerror)


class Known:
    """What was last heard of each link, address and default route."""

    def __init__(self) -> None:
        self._states: dict[tuple[object, ...], int] = {}

    def learn(self, fact: Fact) -> bool:
        """Whether it is news.  What was never heard of may be old, and counts as news once."""
        if self._states.get(fact.key) == fact.state and fact.state is not None:
            return False
        if fact.is_link_down:
            # The kernel does not say that routes went with their interface.
            for key in [key for key in self._states if key[1] == fact.key[1]]:
                del self._states[key]
        if fact.state is None:
            self._states.pop(fact.key, None)
            return True
        if len(self._states) >= MAX_KNOWN:
            del self._states[next(iter(self._states))]
        self._states[fact.key] = fact.state
        return True


def facts(datagram: bytes) -> Iterator[Fact]:
    """What the kernel's messages say, as far as it concerns us.  Whatever is malformed ends them."""
    while len(datagram) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(datagram)
        if not _HEADER.size <= length <= len(datagram):
            return
        fact = _fact(kind, datagram[_HEADER.size : length])
        if fact is not None:
            yield fact
        datagram = datagram[_aligned(length) :]


async def _tell_of_changes(messages: trio.socket.SocketType, tell: Callable[[], None]) -> None:
    """Raises OSError."""
    known = Known()
    while True:
        if not await _receive(messages, known):
            continue
        with trio.move_on_after(SETTLE_S):
            while True:
                await _receive(messages, known)
        tell()


async def _receive(messages: trio.socket.SocketType, known: Known) -> bool:
    """Whether the next datagram has news.  If the kernel lost some, anything may have changed."""
    try:
        datagram, (port, _groups) = await messages.recvfrom(RECEIVE_BYTES)
    except OSError as exc:
        if exc.errno != errno.ENOBUFS:
            raise
        return True
    if port != 0:
        return False  # Not from the kernel.
    return any([known.learn(fact) for fact in facts(datagram)])


def _fact(kind: int, body: bytes) -> Fact | None:
    try:
        if kind in (_NEW_LINK, _DELETED_LINK):
            return _link(body, is_gone=kind == _DELETED_LINK)
        if kind in (_NEW_ADDRESS, _DELETED_ADDRESS):
            return _address(body, is_gone=kind == _DELETED_ADDRESS)
        if kind in (_NEW_ROUTE, _DELETED_ROUTE):
            return _default_route(body, is_gone=kind == _DELETED_ROUTE)
    except struct.error:
        pass
    return None


def _link(body: bytes, *, is_gone: bool) -> Fact | None:
    _family, _type, index, flags, _change = _LINK.unpack_from(body)
    if flags & _IS_LOOPBACK:
        return None
    return Fact(("link", index), None if is_gone else flags & _IS_USABLE)


def _address(body: bytes, *, is_gone: bool) -> Fact:
    family, prefix_bits, flags, _scope, index = _ADDRESS.unpack_from(body)
    of = _attributes(body[_ADDRESS.size :])
    address = of.get(_LOCAL_ADDRESS, of.get(_ADDRESS_OF, b""))
    return Fact(("address", index, family, prefix_bits, address), None if is_gone else flags & _IS_TENTATIVE)


def _default_route(body: bytes, *, is_gone: bool) -> Fact | None:
    family, destination_bits, *_ = _ROUTE.unpack_from(body)
    if destination_bits:
        return None
    of = _attributes(body[_ROUTE.size :])
    (index,) = _INDEX.unpack_from(of.get(_OUT_INTERFACE, _NO_INDEX))
    return Fact(("route", index, family, of.get(_GATEWAY)), None if is_gone else 0)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if not _ATTRIBUTE.size <= length <= len(data):
            break
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _aligned(n_bytes: int) -> int:
    """Every message and attribute begins at a multiple of four bytes."""
    return (n_bytes + 3) & ~3
