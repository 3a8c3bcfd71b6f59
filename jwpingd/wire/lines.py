"""One connection's stream of bytes, cut into lines, each an event or a reason why it is none.

The law: whatever is fed, in whatever pieces, the results are the same, nothing is raised, and no
more than one line's worth of bytes is kept.
"""

from __future__ import annotations

from typing import NamedTuple

from jwpingd.errors import BadJson, LineTooLong, PlayerError
from jwpingd.events import Event
from jwpingd.wire.decode import ack_id_of, event_of
from jwpingd.wire.objects import json_object
from jwpingd.wire.values import moment_ms

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Received(NamedTuple):
    """A good line.  `line` counts the connection's lines from 1, empty ones too.

    `ack_id` is what the player wants acknowledged, None for nothing.  `at_ms` is CLOCK_BOOTTIME in ms
    when it happened, None where the line does not say so in a usable way.
    """

    event: Event
    ack_id: str | int | None
    at_ms: int | None
    line: int


class Rejected(NamedTuple):
    """A bad line; nothing has changed.  `line` is 0 where no line is at fault but the connection."""

    error: PlayerError
    line: int
    ack_id: str | int | None


class LineReader:
    """The bytes of one connection → its lines.  `max_line_bytes` does not count the newline."""

    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._held = bytearray()
        self._is_skipping = False
        self._n_lines = 0

    def feed(self, data: bytes) -> list[Received | Rejected]:
        """What the lines that end in `data` say, in order.  An over-long line is told at once."""
        results: list[Received | Rejected] = []
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and (self._held or self._is_skipping):
            self._end_held_line(lines.pop(0), results)
        for line in lines:
            self._take(line, results)
        if rest:
            self._hold(rest, results)
        return results

    def end(self) -> list[Received | Rejected]:
        """End of the stream.  A last line without its newline counts if it is a whole object."""
        results: list[Received | Rejected] = []
        if self._held:
            self._end_held_line(b"", results)
        return [_as_cut_off(result) for result in results]

    def _take(self, line: bytes, results: list[Received | Rejected]) -> None:
        self._n_lines += 1
        if len(line) > self._max_line_bytes:
            results.append(self._too_long(self._n_lines))
            return
        ack_id = None
        try:
            if self._n_lines == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            values = json_object(line)
            if values is None:
                return
            # Most lines are ticks without either, so nothing is called for what is not there.
            if "id" in values:
                ack_id = ack_id_of(values)
            at_ms = moment_ms(values["at"]) if "at" in values else None
            results.append(Received(event_of(values), ack_id, at_ms, self._n_lines))
        except PlayerError as error:
            # The traceback would keep the line, and whatever secret it holds, alive.
            results.append(Rejected(error.with_traceback(None), self._n_lines, ack_id))

    def _hold(self, part: bytes, results: list[Received | Rejected]) -> None:
        """Keep the beginning of a line, or stop keeping it once it is too long."""
        if self._is_skipping:
            return
        if len(self._held) + len(part) <= self._max_line_bytes:
            self._held += part
            return
        self._held.clear()
        self._is_skipping = True
        results.append(self._too_long(self._n_lines + 1))

    def _end_held_line(self, tail: bytes, results: list[Received | Rejected]) -> None:
        self._hold(tail, results)
        if self._is_skipping:
            self._is_skipping = False
            self._n_lines += 1
            return
        line = bytes(self._held)
        self._held.clear()
        self._take(line, results)

    def _too_long(self, line: int) -> Rejected:
        message = f"the line is longer than {self._max_line_bytes} bytes and is skipped"
        return Rejected(LineTooLong(message), line, None)


def _as_cut_off(result: Received | Rejected) -> Received | Rejected:
    """A last line that is no JSON was most likely cut off: say so instead of naming a column."""
    if isinstance(result, Rejected) and isinstance(result.error, BadJson):
        return Rejected(BadJson("the connection ended within a line"), result.line, None)
    return result
