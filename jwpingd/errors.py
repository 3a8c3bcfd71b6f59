"""Every exception that is raised on purpose, divided by who must act.

A `PlayerError` becomes one JSON reply on the socket and the connection lives on.  An
`OperatorError` ends a command with a message that names the way out.  A `StoreError` is
nobody's to act on: the writer tries again.

Annotations are evaluated in this file: kept as texts, each of a NamedTuple's is compiled at every start.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class JwpingdError(Exception):
    """The base of all errors that are raised on purpose."""


# --- the player's ---------------------------------------------------------------------------


class PlayerError(JwpingdError):
    """A line that cannot be taken.  It changed nothing; `code` and the message go back as a reply."""

    code: ClassVar[str] = "error"


class BadJson(PlayerError):
    """The line is not one JSON object in UTF-8."""

    code = "bad-json"


class BadEvent(PlayerError):
    """The object is JSON but a value in it is missing or of the wrong kind."""

    code = "bad-event"


class UnknownEvent(PlayerError):
    """The event's name is not known here; told once per connection, so newer players can talk to us."""

    code = "unknown-event"


class LineTooLong(PlayerError):
    """The line exceeds the limit; it is skipped up to its end."""

    code = "line-too-long"


class OutOfSequence(PlayerError):
    """The event came before the player's first `playlistItem`."""

    code = "out-of-sequence"


class TooManyPlayers(PlayerError):
    """The connection names more players than one connection may have."""

    code = "too-many-players"


class TooManyConnections(PlayerError):
    """The daemon, or the peer's user, holds as many connections as are allowed."""

    code = "too-many-connections"


class NotAllowed(PlayerError):
    """The peer's user may not use this socket."""

    code = "not-allowed"


# --- the operator's -------------------------------------------------------------------------


class OperatorError(JwpingdError):
    """Something the operator must change; the message says what, where, and the way out."""

    exit_status: ClassVar[int] = 1


class UsageError(OperatorError):
    """The command line is wrong in a way that its parser alone cannot see."""

    exit_status = 2  # as argparse's own


class Problem(NamedTuple):
    """One mistake in the configuration.

    `file` is a path or "--set"; `line` is 1-based, 0 where there is none; `value` is as written.
    """

    file: str
    line: int
    key: str
    value: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        value = f" = {self.value}" if self.value else ""
        return f"{place}: {self.key}{value}: {self.message}"


class ConfigError(OperatorError):
    """The configuration cannot be used.  `problems` holds every mistake, not only the first."""

    exit_status = 78  # EX_CONFIG of sysexits.h

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class NotRunning(OperatorError):
    """No daemon answers on the control socket."""


class AlreadyRunning(OperatorError):
    """Another daemon holds this state directory or answers on this socket."""


# --- nobody's -------------------------------------------------------------------------------


class StoreError(JwpingdError):
    """The store could not do what was asked, and has not done any of it as far as it knows."""
