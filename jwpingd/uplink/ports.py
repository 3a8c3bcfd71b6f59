"""What the uplink asks of others, and what it tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from jwpingd.spool import Entry


class Queue(Protocol):
    """Where the entries wait; the writer is one."""

    async def claim(self, limit: int, *, after_id: int = 0, to_id: int | None = None) -> list[Entry]:
        """The oldest sendable entries that nobody claimed; the caller's until it settles them.

        That they may have been tried is durable before this returns.  Does not raise.
        """

    def delivered(self, entry_id: int) -> None:
        """The collector has it."""

    def set_aside(self, entry_id: int, reason: str) -> None:
        """The collector will never take it."""

    def release(self, entry_ids: Iterable[int]) -> None:
        """Nobody has these in hand any more; they wait as before."""

    async def wait_for_more(self) -> None:
        """Return when there may be something to claim that the last claim did not see."""

    def last_id(self) -> int:
        """The highest id given out so far."""

    def n_waiting(self) -> int:
        """How many entries wait, claimed or not."""


class Clock(Protocol):
    """The suspend-proof clock, in seconds since boot."""

    def boot_s(self) -> float:
        """Now."""

    async def sleep_until(self, boot_s: float) -> None:
        """Return at that moment, or at once when it is past; standby counts."""


class Options(NamedTuple):
    """How to deliver; every value as the configuration has checked it.

    `collector_url` is scheme, host, and perhaps port and path prefix.  `max_per_s` 0 is no limit.
    `ca_file` replaces the system's certificate authorities.  `proxy` may hold a
    password, so `repr` shows nothing of it.
    """

    collector_url: str
    concurrency: int = 4
    timeout_s: float = 10.0
    max_per_s: float = 20.0
    retry_first_s: float = 1.0
    retry_max_s: float = 300.0
    proxy: str | None = None
    user_agent: str | None = None
    ca_file: Path | None = None

    def __repr__(self) -> str:
        return f"Options({self.collector_url!r}, …)"


class Outcome(Enum):
    """What came of asking the collector for its time."""

    ANSWERED = "answered"  # over verified TLS, so the way is open
    OUT_OF_TIME = "out of time"  # by this box's clock its certificate is not valid
    NO_ANSWER = "no answer"


class CollectorTime(NamedTuple):
    """`date_s` is Unix time by the collector's `Date`; None if it was not told."""

    outcome: Outcome
    date_s: float | None = None


class UplinkStatus(NamedTuple):
    """The uplink at one moment; moments are milliseconds since boot, counts are since its start.

    `last_error` is one line without secrets, "" after a success.  `retries` counts by reason.
    """

    is_online: bool
    n_failures: int
    last_success_boot_ms: int | None
    last_error: str
    is_certificate_error: bool
    next_try_boot_ms: int | None
    n_in_flight: int
    n_delivered: int
    n_set_aside: int
    retries: Mapping[str, int]
