"""The desk that takes pings: reads each target, has it checked, totals it, remembers the newest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from jwpingd.collector.rules import Checker, Verdict
from jwpingd.collector.totals import Totals
from jwpingd.ping import read

MAX_PINGS = 2_000
"""Newest pings kept whole; about 3 KB each."""


class Received(NamedTuple):
    """One ping as it arrived.  `at_ms` is the collector's wall clock; `parameters` are in clear text."""

    at_ms: int
    bucket: str
    target: str
    parameters: dict[str, str]
    violations: tuple[str, ...]
    is_duplicate: bool

    def as_json(self) -> dict[str, object]:
        """The ping as one object of `jwpingd collector --json`."""
        return {
            "at_ms": self.at_ms,
            "bucket": self.bucket,
            "target": self.target,
            "params": self.parameters,
            "violations": list(self.violations),
            "duplicate": self.is_duplicate,
        }


class Collector:
    """Takes pings.  `pings` are the newest `max_pings`; counts and totals go on for ever.

    `on_ping` is called with every ping, duplicates too, before its answer is sent.
    """

    def __init__(
        self, *, on_ping: Callable[[Received], None] | None = None, max_pings: int = MAX_PINGS
    ) -> None:
        self.pings: deque[Received] = deque(maxlen=max_pings)
        self.n_pings = 0
        self.checker = Checker()
        self.totals = Totals()
        self._on_ping = on_ping

    def take(self, target: str, at_ms: int) -> Received:
        """Takes the ping of one request target that arrived at `at_ms`, wall clock."""
        bucket, parameters, verdict = self._judge(target)
        received = Received(at_ms, bucket, target, parameters, verdict.violations, verdict.is_duplicate)
        if not received.is_duplicate:
            self.totals.add(parameters)
        self.n_pings += 1
        self.pings.append(received)
        if self._on_ping is not None:
            self._on_ping(received)
        return received

    def n_violations(self) -> int:
        """All violations so far, those of plays as a whole included as if nothing more came."""
        return self.checker.n_violations + len(self.checker.judge_plays())

    def since(self, n_seen: int) -> dict[str, object]:
        """What came after the first `n_seen` pings, as far as it is remembered, and the report.

        `last` is how many pings there were in all: what to ask with the next time.
        """
        n_new = min(max(self.n_pings - n_seen, 0), len(self.pings))
        new = list(self.pings)[len(self.pings) - n_new :]
        return {"last": self.n_pings, "pings": [each.as_json() for each in new], "report": self.report()}

    def report(self) -> dict[str, object]:
        """Counts, newest violations and the OTT report's totals, as plain values for JSON.

        `play_violations` judge the remembered plays as if nothing more came: while pings are on
        their way, some of them may still be explained.
        """
        play_violations = self.checker.judge_plays()
        return {
            "pings": self.n_pings,
            "duplicates": self.checker.n_duplicates,
            "violations": self.checker.n_violations + len(play_violations),
            "newest_violations": list(self.checker.violations),
            "play_violations": play_violations,
            "open_plays": self.checker.n_open_plays(),
            **self.totals.as_json(),
        }

    def _judge(self, target: str) -> tuple[str, dict[str, str], Verdict]:
        try:
            bucket, parameters = read(target)
        except ValueError as exc:
            return _bucket_in(target), {}, self.checker.refuse(str(exc))
        bucket = bucket or _bucket_in(target)
        return bucket, parameters, self.checker.check(bucket, parameters, target)


def _bucket_in(target: str) -> str:
    """The second part of the path, known as a bucket or not; "" where there is none."""
    parts = target.partition("?")[0].split("/")
    return parts[2] if len(parts) > 2 else ""
