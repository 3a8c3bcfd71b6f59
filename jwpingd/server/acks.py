"""Acks that wait for flash."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from jwpingd import wire
from jwpingd.writer import Writer

MAX_WAITING_ACKS = 1000  # a later ack tells of all before it, so the oldest go first


class Acks:
    """In the order in which they were asked for; `send` gets each as a line once it is true."""

    def __init__(self, writer: Writer, send: Callable[[bytes], None]) -> None:
        self._writer = writer
        self._send = send
        self._waiting: deque[tuple[int, str | int]] = deque(maxlen=MAX_WAITING_ACKS)

    @property
    def next_ticket(self) -> int | None:
        """What must be durable for the oldest that waits; None where none does."""
        return self._waiting[0][0] if self._waiting else None

    def add(self, ticket: int, ack_id: str | int) -> None:
        """Acknowledge `ack_id` when `ticket` is durable; at once where it is."""
        self._waiting.append((ticket, ack_id))
        self.send_due()

    def send_due(self) -> None:
        """Send all that are true by now."""
        while self._waiting and self._writer.is_durable(self._waiting[0][0]):
            self._send(wire.ack(self._waiting.popleft()[1]))
