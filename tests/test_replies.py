"""Answers to a player that reads late, or never."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import trio

from jwpingd import wire
from jwpingd.errors import BadEvent
from jwpingd.server.replies import MAX_HELD_BYTES, Replies
from jwpingd.wire import Rejected

MORE_THAN_FITS = 10_000  # answers; the kernel takes some hundreds of them, and we hold some hundreds
ERROR = wire.error_reply(Rejected(BadEvent("a mistake"), 1, None))


def heard_late(say: Callable[[Replies], None]) -> list[dict[str, object]]:
    """What a player hears that begins to read only after `say` has said everything."""

    async def talk(ours: socket.socket, theirs: socket.socket) -> bytes:
        ours.setblocking(False)
        replies = Replies(ours)
        say(replies)
        heard = bytearray()
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(replies.run)
            nursery.start_soon(_close_when_sent, replies, ours)
            async for data in stream:
                heard += data
            nursery.cancel_scope.cancel()
        return bytes(heard)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        heard = trio.run(talk, ours, theirs)
    return [json.loads(line) for line in heard.splitlines()]


async def _close_when_sent(replies: Replies, ours: socket.socket) -> None:
    await replies.wait_sent()
    ours.shutdown(socket.SHUT_WR)


def test_the_newest_ack_reaches_a_player_that_reads_late() -> None:
    """However many answers had to be dropped, the newest ack is the last that a late reader hears."""

    def say(replies: Replies) -> None:
        for ack_id in range(MORE_THAN_FITS):
            replies.acknowledge(wire.ack(ack_id))

    heard = heard_late(say)
    assert len(heard) < MORE_THAN_FITS
    assert heard[-1] == {"ack": MORE_THAN_FITS - 1}


def test_errors_do_not_displace_the_newest_ack() -> None:
    """An ack that found no room outlives the errors that follow it."""

    def say(replies: Replies) -> None:
        for _ in range(MORE_THAN_FITS):
            replies.send(ERROR)
        replies.acknowledge(wire.ack("x" * 128))
        for _ in range(MORE_THAN_FITS):
            replies.send(ERROR)

    assert {"ack": "x" * 128} in heard_late(say)


def test_what_is_held_for_a_player_that_never_reads_is_bounded() -> None:
    """Answers that nobody reads take no more room, however many they are."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        replies = Replies(ours)
        for ack_id in range(MORE_THAN_FITS):
            replies.acknowledge(wire.ack(ack_id))
            replies.send(ERROR)
            assert len(replies._held) + len(replies._newest_ack) <= MAX_HELD_BYTES + len(wire.ack(ack_id))
