"""One accepted socket: when it is read, how fast, and when its answers go.

It reads as fast as its player may write (`max_events_per_s`) and not faster; the rest waits in the
kernel, so nothing is lost and nothing grows here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import trio

from jwpingd.server.caller import Caller
from jwpingd.server.dialogue import Dialogue, Rules
from jwpingd.server.held import Clock
from jwpingd.server.plays import Plays
from jwpingd.server.replies import Replies
from jwpingd.writer import Writer

READ_BYTES = 16 * 1024  # per connection and turn; the answers to so many bad lines stay small
TICKS_ONLY_WAIT_S = 0.5  # how late a connection that only ticks may be read, to save wake-ups
_TICKS_ONLY_BYTES = 4096  # more than this at once is a backlog, which nobody leaves lying
MAX_FINAL_ACK_WAIT_S = 30.0  # how long a half-closed connection waits for flash
MAX_FINAL_READ_S = 0.5  # of the time that a stop leaves, for what was written, and finding out who plays
MIN_LINE_BYTES_COUNTED = 1024  # of max_events_per_s, which a stream without line ends uses up as well
MAX_LINES_A_TURN = 512  # a reading of ticks; with shorter lines it has thousands, and others wait


class Connection:
    """The machine behind one accepted socket; `run` it once."""

    def __init__(
        self,
        sock: socket.socket,
        uid: int,
        plays: Plays,
        writer: Writer,
        clock: Clock,
        rules: Rules,
        *,
        max_events_per_s: float,
        caller: Caller,
        complain: Callable[[str], None],
    ) -> None:
        self.caller = caller
        self._sock = sock
        self._writer = writer
        self._clock = clock
        self._replies = Replies(sock)
        self._rate = max_events_per_s
        self._tokens = max_events_per_s
        self._tokens_at_s = trio.current_time()
        self._acks_wanted = trio.Event()
        self._in_hand = b""  # what was read and waits for its turn
        self._n_read = 0  # bytes at the last reading
        self._reading = trio.CancelScope()
        self._is_stopping = False
        self.dialogue = Dialogue(
            uid,
            plays,
            writer,
            rules,
            describe=caller.facts,
            reply=self._replies.send,
            acknowledge=self._replies.acknowledge,
            complain=complain,
        )

    async def run(self) -> None:
        """Read to the end; then end or hold the plays, and send the last acks."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._replies.run)
            nursery.start_soon(self._send_acks)
            nursery.start_soon(self.caller.run)
            with self._reading:
                await self._read_to_end()
            if self._is_stopping:
                await self._read_rest()
            self.dialogue.leave(self._clock.now())
            with trio.move_on_after(MAX_FINAL_ACK_WAIT_S):
                await self._finish_acks()
                if not self._is_stopping:
                    await self._replies.wait_sent()
            nursery.cancel_scope.cancel()

    def stop(self) -> None:
        """Read no more than what is there already, then leave."""
        self._is_stopping = True
        self._reading.cancel()

    # --- reading ------------------------------------------------------------------------------

    async def _read_to_end(self) -> None:
        while True:
            data = self._read_now()
            if data is None:
                self.dialogue.wake(self._clock.now())
                with trio.move_on_after(self._until_timer_s()):
                    await trio.lowlevel.wait_readable(self._sock)
            elif not data:
                return
            else:
                self._take(data)
                await self._begin_plays()
                await self._pace()

    def _read_now(self) -> bytes | None:
        """What is there, as far as one turn may take it; b"" at the end, None while there is nothing."""
        if not self._in_hand:
            try:
                self._in_hand = self._sock.recv(READ_BYTES)
            except BlockingIOError:
                return None
            except OSError:
                return b""
            self._n_read = len(self._in_hand)
        now, self._in_hand = _one_turn(self._in_hand)
        return now

    async def _read_rest(self) -> None:
        """What the kernel holds already; bounded, so that a peer that goes on writing cannot keep us."""
        until_s = trio.current_time() + MAX_FINAL_READ_S
        await self._begin_plays(until_s)
        while data := self._read_now():
            self._take(data)
            await self._begin_plays(until_s)
            if trio.current_time() >= until_s:
                return
            await trio.lowlevel.checkpoint()

    async def _begin_plays(self, until_s: float = float("inf")) -> None:
        """Find out who plays before a play begins; meanwhile the kernel holds what is written."""
        while self.dialogue.is_waiting:
            with trio.move_on_at(until_s):
                await self.caller.prepare(self.dialogue.claims)
            self.dialogue.go_on()
            self._want_acks()

    def _take(self, data: bytes) -> None:
        self.dialogue.take(data, self._clock.now())
        # Empty lines and endless ones take their time, too.
        n_lines = max(data.count(b"\n"), len(data) // MIN_LINE_BYTES_COUNTED)
        now_s = trio.current_time()
        refilled = min(self._rate, self._tokens + (now_s - self._tokens_at_s) * self._rate)
        self._tokens, self._tokens_at_s = refilled - n_lines, now_s
        self._want_acks()

    async def _pace(self) -> None:
        """Before reading on: let others run, keep to the rate, let ticks gather, let flash keep up."""
        wait_s = 0.0
        if self._rate and self._tokens < 0:
            wait_s = -self._tokens / self._rate
        elif self.dialogue.has_only_ticked and not self._in_hand and self._n_read < _TICKS_ONLY_BYTES:
            wait_s = min(_until_next_round_s(), self._until_timer_s())
        await trio.sleep(wait_s)
        await self._writer.wait_for_room()

    def _until_timer_s(self) -> float:
        # Standby may make this late; a timer's ping carries the moment it was due all the same.
        due_ms = self.dialogue.players.wake_at_ms
        return float("inf") if due_ms is None else max(0.0, (due_ms - self._clock.now().boot_ms) / 1000)

    # --- acks ---------------------------------------------------------------------------------

    def _want_acks(self) -> None:
        """Wake who sends them, but not at every tick: that would be every second turn of the loop."""
        if self.dialogue.acks.next_ticket is not None:
            self._acks_wanted.set()

    async def _send_acks(self) -> None:
        while True:
            await self._acks_wanted.wait()
            self._acks_wanted = trio.Event()
            await self._finish_acks()

    async def _finish_acks(self) -> None:
        while (ticket := self.dialogue.acks.next_ticket) is not None:
            await self._writer.wait_durable(ticket)
            self.dialogue.acks.send_due()


def _until_next_round_s() -> float:
    """All connections that only tick are read at the same moments: they share their wake-ups."""
    return TICKS_ONLY_WAIT_S - trio.current_time() % TICKS_ONLY_WAIT_S


def _one_turn(data: bytes) -> tuple[bytes, bytes]:
    """The first lines of it, and the rest."""
    if data.count(b"\n") <= MAX_LINES_A_TURN:
        return data, b""
    lines = data.split(b"\n", MAX_LINES_A_TURN)
    return data[: len(data) - len(lines[-1])], lines[-1]
