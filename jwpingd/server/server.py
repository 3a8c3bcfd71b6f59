"""Who may connect, and how many at once."""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections.abc import Callable
from typing import NamedTuple

import trio

from jwpingd import wire
from jwpingd.errors import NotAllowed, PlayerError, TooManyConnections
from jwpingd.plural import counted
from jwpingd.server.caller import Caller
from jwpingd.server.connection import Connection
from jwpingd.server.dialogue import Rules
from jwpingd.server.held import Clock
from jwpingd.server.plays import Plays
from jwpingd.server.replies import refuse
from jwpingd.sockets import credentials
from jwpingd.sockets.credentials import Peer
from jwpingd.sockets.door import Door
from jwpingd.writer import Writer

_log = logging.getLogger("jwpingd.server")

MAX_ACCEPTED_AT_ONCE = 64  # before those who are connected are served again
OUT_OF_FILES_WAIT_S = 0.1  # until it is tried again: connections that end give files back
COMPLAINT_INTERVAL_S = 10.0  # at most one line of the log in this time for players' mistakes


class Limits(NamedTuple):
    """What clients may take.  `allowed_uids` empty: whoever the socket's mode lets in.

    Of the descriptors of the process, players get those below `max_descriptors`.
    """

    rules: Rules
    max_connections: int
    max_connections_per_uid: int
    max_events_per_s: float
    allowed_uids: frozenset[int] = frozenset()
    max_descriptors: int = sys.maxsize


class Server:
    """Accepts players and runs a connection for each.

    `meet` is told of every player that is let in, `on_change` when a connection comes or goes.
    """

    def __init__(
        self,
        plays: Plays,
        writer: Writer,
        clock: Clock,
        limits: Limits,
        meet: Callable[[socket.socket, Peer], Caller],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_change = on_change
        self._plays = plays
        self._writer = writer
        self._clock = clock
        self._meet = meet
        self._complained_at_s = float("-inf")
        self._n_unlogged = 0
        self.limits = limits
        self.connections: dict[Connection, Peer] = {}
        self.n_refused = 0

    async def serve(self, door: Door, *, until: trio.Event, leave_within_s: float) -> None:
        """Accept players; after `until`, let every connection end its plays and get its last acks."""
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(self._accept_all, door, connections)
                await until.wait()
                accepting.cancel_scope.cancel()
            for connection in self.connections:
                connection.stop()
            connections.cancel_scope.deadline = trio.current_time() + leave_within_s

    async def _accept_all(self, door: Door, nursery: trio.Nursery) -> None:
        while True:
            listener = await door.wait_somebody()
            try:
                for _ in range(MAX_ACCEPTED_AT_ONCE):
                    sock, _address = listener.accept()
                    self._admit(sock, nursery)
            except OSError as exc:
                if exc.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                    await trio.sleep(OUT_OF_FILES_WAIT_S)

    def _admit(self, sock: socket.socket, nursery: trio.Nursery) -> None:
        sock.setblocking(False)
        try:
            peer = credentials.peer(sock)
            self._check(peer, sock.fileno())
        except PlayerError as error:
            self.n_refused += 1
            self._complain(peer, f"is refused ({error.code}): {error}")
            refuse(sock, wire.error_reply(wire.Rejected(error, 0, None)))
        except OSError:
            sock.close()
        else:
            connection = self._connection(sock, peer)
            self.connections[connection] = peer  # Now, so that the next in line is counted against it.
            self._on_change()
            nursery.start_soon(self._run, sock, connection, peer)

    def _check(self, peer: Peer, descriptor: int) -> None:
        limits, n_of_uid = self.limits, sum(other.uid == peer.uid for other in self.connections.values())
        if limits.allowed_uids and peer.uid not in limits.allowed_uids:
            raise NotAllowed(f"user {peer.uid} may not use this socket (socket.allow_users)")
        if len(self.connections) >= limits.max_connections:
            raise TooManyConnections(f"{counted(limits.max_connections, 'connection')} in all is the limit")
        if descriptor >= limits.max_descriptors:  # The kernel gives the lowest that is free.
            raise TooManyConnections("the daemon may open no more files (LimitNOFILE of its service)")
        if n_of_uid >= limits.max_connections_per_uid:
            connections = counted(n_of_uid, "connection")
            raise TooManyConnections(f"user {peer.uid} has {connections}, which is the limit")

    def _connection(self, sock: socket.socket, peer: Peer) -> Connection:
        return Connection(
            sock,
            peer.uid,
            self._plays,
            self._writer,
            self._clock,
            self.limits.rules,
            max_events_per_s=self.limits.max_events_per_s,
            caller=self._meet(sock, peer),
            complain=lambda mistake: self._complain(peer, f"sent {mistake}; it was told, ignoring"),
        )

    async def _run(self, sock: socket.socket, connection: Connection, peer: Peer) -> None:
        try:
            await connection.run()
        except Exception as exc:  # One player, whatever it does, must not end the daemon.
            # Only its kind: the text of an unforeseen error may quote what the player wrote.
            kind = type(exc).__name__
            _log.error("internal error (%s) with a player of uid %d; closing its connection", kind, peer.uid)
        finally:
            del self.connections[connection]
            self._on_change()
            sock.close()

    def _complain(self, peer: Peer, what: str) -> None:
        """Log a connection's first mistake, or why it is refused, and few of them, whatever players do."""
        now_s = trio.current_time()
        if now_s - self._complained_at_s < COMPLAINT_INTERVAL_S:
            self._n_unlogged += 1
            return
        others = ""
        if self._n_unlogged:
            others = f"; {counted(self._n_unlogged, 'more player')} since the last such line"
        self._complained_at_s, self._n_unlogged = now_s, 0
        _log.warning(
            "a player of uid %d (pid %d) %s%s",
            peer.uid,
            peer.pid,
            what,
            others,
        )
