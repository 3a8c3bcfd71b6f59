"""Lines of one connection that are not taken: each is answered, and the first is logged."""

from __future__ import annotations

from collections.abc import Callable

from jwpingd import wire
from jwpingd.errors import PlayerError, UnknownEvent
from jwpingd.server.tap import Tap
from jwpingd.wire import Rejected

MAX_TOLD_UNKNOWN = 100  # kinds of unknown events that a connection is told of


class Refusals:
    """`reply` sends a line to the player, `complain` logs its first mistake."""

    def __init__(
        self, uid: int, tap: Tap, *, reply: Callable[[bytes], None], complain: Callable[[str], None]
    ) -> None:
        self._uid = uid
        self._tap = tap
        self._reply = reply
        self._complain = complain
        self._told_unknown: set[str] = set()
        self._has_complained = False

    def is_told(self, error: PlayerError) -> bool:
        """Whether nothing need be said of it again: an unknown event is told once per connection.

        Beyond `MAX_TOLD_UNKNOWN` all of them count as told.
        """
        if not isinstance(error, UnknownEvent):
            return False
        return str(error) in self._told_unknown or len(self._told_unknown) >= MAX_TOLD_UNKNOWN

    def tell(self, rejected: Rejected) -> None:
        """Say why to the player and to whoever watches, and once to the log."""
        if isinstance(rejected.error, UnknownEvent):
            self._told_unknown.add(str(rejected.error))
        self._reply(wire.error_reply(rejected))
        self._tap.refused(self._uid, rejected.error, rejected.line)
        if not self._has_complained:
            self._has_complained = True
            self._complain(f"{rejected.error.code} in line {rejected.line}")
