"""Changes of the network as the kernel tells them: in real network namespaces, and byte by byte."""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd import network
from jwpingd.network import MAX_KNOWN, Fact, Known, facts
from tests.namespaces import NetworkNamespace, needs_namespaces

USABLE, DOWN = 0x41, 0


# --- what is news ---------------------------------------------------------------------------------


def test_only_what_changed_is_news() -> None:
    """A wireless scan or a router advertisement repeats what is known; a carrier, an address are news."""
    known = Known()
    story = [
        (Fact(("link", 2), DOWN), True),
        (Fact(("link", 2), DOWN), False),
        (Fact(("link", 2), USABLE), True),
        (Fact(("address", 2, b"10.0.0.1"), 0x40), True),  # tentative
        (Fact(("address", 2, b"10.0.0.1"), 0), True),
        (Fact(("address", 2, b"10.0.0.1"), 0), False),
        (Fact(("route", 2, b"10.0.0.254"), 0), True),
        (Fact(("link", 3), USABLE), True),
        (Fact(("route", 2, b"10.0.0.254"), None), True),
        (Fact(("route", 2, b"10.0.0.254"), 0), True),
    ]
    assert [known.learn(fact) for fact, _ in story] == [is_news for _, is_news in story]


@pytest.mark.parametrize("state", [DOWN, 0x1, None])
def test_what_a_dead_link_carried_is_news_when_it_is_back(state: int | None) -> None:
    """The kernel drops routes with their interface and says nothing: the same route is then a new one."""
    known, route, other = Known(), Fact(("route", 2, b"gateway"), 0), Fact(("route", 3, b"gateway"), 0)
    for fact in (Fact(("link", 2), USABLE), route, other, Fact(("link", 2), state)):
        known.learn(fact)
    assert known.learn(Fact(("link", 2), USABLE))
    assert known.learn(route) and not known.learn(other)


def test_what_is_known_is_bounded() -> None:
    """However many addresses come, memory keeps the latest."""
    known = Known()
    for number in range(3 * MAX_KNOWN):
        assert known.learn(Fact(("address", 2, number), 0))
    assert len(known._states) == MAX_KNOWN
    assert not known.learn(Fact(("address", 2, 3 * MAX_KNOWN - 1), 0))


# --- bytes ----------------------------------------------------------------------------------------


def message(kind: int, body: bytes) -> bytes:
    padded = body + bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + padded


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


ETHERNET = message(16, struct.pack("=BxHiII", 0, 1, 2, 0x1003 | 0x40, 0) + attribute(3, b"eth0\0"))
LOOPBACK = message(16, struct.pack("=BxHiII", 0, 772, 1, 0x49, 0))
ADDRESS = message(20, struct.pack("=BBBBI", 2, 24, 0, 0, 2) + attribute(2, b"\x0a\0\0\1"))
DEFAULT_ROUTE = message(
    25, struct.pack("=8BI", 2, 0, 0, 0, 254, 0, 0, 1, 0) + attribute(4, struct.pack("=i", 2))
)
OTHER_ROUTE = message(24, struct.pack("=8BI", 2, 24, 0, 0, 254, 0, 0, 1, 0))


def test_messages_are_read_one_after_the_other() -> None:
    """A datagram may hold several; loopback, routes that are no default and unknown kinds say nothing."""
    datagram = ETHERNET + LOOPBACK + message(99, b"abc") + ADDRESS + OTHER_ROUTE + DEFAULT_ROUTE
    assert list(facts(datagram)) == [
        Fact(("link", 2), USABLE),
        Fact(("address", 2, 2, 24, b"\x0a\0\0\1"), 0),
        Fact(("route", 2, 2, None), None),
    ]


@given(st.binary(max_size=200), st.integers(0, 200), st.sampled_from([ETHERNET, ADDRESS, DEFAULT_ROUTE]))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_no_bytes_can_harm(noise: bytes, at: int, good: bytes) -> None:
    """Whatever comes ends, raises nothing, and is never more facts than there is room for headers."""
    datagram = good[:at] + noise + good[at:]
    assert len(list(facts(datagram))) <= len(datagram) // 16


# --- the watch, on the kernel's own messages --------------------------------------------------------


class Told:
    """How often the watch told of a change."""

    def __init__(self) -> None:
        self.n = 0
        self._more = trio.Event()

    def __call__(self) -> None:
        self.n += 1
        self._more.set()

    async def wait(self) -> None:
        """Until it is told once more than when this was called, or since the last wait."""
        with trio.fail_after(30):
            await self._more.wait()
        self._more = trio.Event()


@contextmanager
def inside(namespace: NetworkNamespace) -> Iterator[None]:
    """This thread's sockets are made in that namespace."""
    with open("/proc/thread-self/ns/net") as before, open(namespace.path) as other:
        namespace.enter(other.fileno())
        try:
            yield
        finally:
            namespace.enter(before.fileno())


@asynccontextmanager
async def watching(namespace: NetworkNamespace) -> AsyncIterator[Told]:
    """The watch, in that namespace, for as long as the block lasts."""
    told = Told()
    async with trio.open_nursery() as nursery:
        with inside(namespace):
            nursery.start_soon(network.watch, told)
            await trio.testing.wait_all_tasks_blocked()
        yield told
        nursery.cancel_scope.cancel()


@pytest.mark.slow
@needs_namespaces
def test_a_cable_is_seen_going_out_and_in() -> None:
    """A veth pair's carrier, address and default route: each change is told."""

    async def main(namespace: NetworkNamespace) -> None:
        async with watching(namespace) as told:
            for command in (
                "link add jw0 type veth peer name jw1",
                "link set jw0 up",
                "link set jw1 up",
                "addr add 10.99.0.1/24 dev jw0",
                "route add default via 10.99.0.2",
                "link set jw1 down",
                "link set jw1 up",
            ):
                n_before = told.n
                namespace.ip(command)
                await told.wait()
                assert told.n > n_before

    with NetworkNamespace() as namespace:
        trio.run(main, namespace)


@pytest.mark.slow
@needs_namespaces
def test_a_flood_of_changes_is_told_as_few() -> None:
    """More messages than the socket holds: the loss is a change like others, and the watch goes on."""

    async def main(namespace: NetworkNamespace) -> None:
        async with watching(namespace) as told:
            # While the loop stands still, the kernel drops what finds no room.
            namespace.batch(
                "link add jw0 type veth peer name jw1",
                *(f"addr add 10.{n // 250}.{n % 250}.1/32 dev jw0" for n in range(2500)),
            )
            await told.wait()
            await trio.sleep(2 * network.SETTLE_S)
            n_before = told.n
            assert n_before < 20
            namespace.ip("link set jw0 up")
            await told.wait()
            assert told.n > n_before

    with NetworkNamespace() as namespace:
        trio.run(main, namespace)


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EPERM])
def test_where_netlink_is_forbidden_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """A sandbox without AF_NETLINK costs the quick reaction, and nothing else."""
    caplog.set_level(logging.INFO)

    def refused(*_: object) -> socket.socket:
        raise OSError(code, os.strerror(code))

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", refused)
            await network.watch(lambda: None)

    trio.run(main)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert os.strerror(code) in caplog.text
