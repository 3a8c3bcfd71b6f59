"""Pings in order of arrival → violations of the interface, in words.  Pure; memory is bounded."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from jwpingd.collector.embeds import Embeds
from jwpingd.collector.plays import Play
from jwpingd.collector.seen import Seen
from jwpingd.ping.table import EVENTS, MAX_TARGET_BYTES, violations
from jwpingd.ping.target import encode_uri_component

MAX_PLAYS = 1_000
"""Plays whose rules are watched; the oldest is judged as it is and forgotten."""

MAX_TARGETS = 20_000
"""Targets among which a duplicate is found; about 2 MB of digests."""

MAX_VIOLATIONS = 100
"""Violations kept in words; all are counted."""

_QUANTILES = ((300, 32), (180, 16), (60, 8), (30, 4), (1, 1), (0, 0))
"""(from this duration on, s; number of quantiles), longest first (ping interface §4).

Every step lies on a whole second, so the truncated duration decides as well as the exact one.
"""


class Verdict(NamedTuple):
    """What was found of one ping.  A duplicate, byte for byte, has no violations: it is only counted."""

    violations: tuple[str, ...]
    is_duplicate: bool


class Checker:
    """Checks pings one by one and against the plays they belong to.

    The newest `MAX_PLAYS` plays are remembered; a play that leaves is judged as a whole then.
    `violations` holds the newest in words, `n_violations` counts them all.
    """

    def __init__(self, *, max_plays: int = MAX_PLAYS) -> None:
        self.violations: deque[str] = deque(maxlen=MAX_VIOLATIONS)
        self.n_violations = 0
        self.n_duplicates = 0
        self._max_plays = max_plays
        self._plays: OrderedDict[str, Play] = OrderedDict()
        self._embeds = Embeds()
        self._targets: OrderedDict[bytes, None] = OrderedDict()

    def check(self, bucket: str, parameters: Mapping[str, str], target: str) -> Verdict:
        """Judges the next ping to arrive, as far as no later one can excuse it."""
        if self._is_known(target):
            self.n_duplicates += 1
            return Verdict((), is_duplicate=True)
        seen = Seen.of(parameters)
        found = violations(bucket, parameters)
        found += _target_violations(target) + _quantile_violations(seen) + self._across(seen)
        self._keep(seen.play_id, found)
        return Verdict(tuple(found), is_duplicate=False)

    def refuse(self, message: str) -> Verdict:
        """Counts a request that cannot even be read as a ping."""
        self._keep("", [message])
        return Verdict((message,), is_duplicate=False)

    def judge_plays(self) -> list[str]:
        """What is wrong with the remembered plays as a whole, if nothing more comes.  Changes nothing."""
        plays = self._plays.values()
        return [f"play {play.play_id}: {message}" for play in plays for message in play.as_a_whole()]

    def n_open_plays(self) -> int:
        """How many of the remembered plays have started and not ended."""
        return sum(play.is_open() for play in self._plays.values())

    def _is_known(self, target: str) -> bool:
        digest = hashlib.blake2b(target.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        is_known = digest in self._targets
        self._targets[digest] = None
        if len(self._targets) > MAX_TARGETS:
            self._targets.popitem(last=False)
        return is_known

    def _across(self, seen: Seen) -> list[str]:
        if seen.sa_ms is None or not seen.play_id or seen.kind not in EVENTS:
            return []
        play = self._plays.setdefault(seen.play_id, Play(seen.play_id))
        self._plays.move_to_end(seen.play_id)
        self._forget_oldest()
        return play.take(seen, seen.sa_ms) + self._embeds.take(seen, seen.sa_ms)

    def _forget_oldest(self) -> None:
        if len(self._plays) <= self._max_plays:
            return
        play_id, play = self._plays.popitem(last=False)
        self._embeds.forget(play_id)
        self._keep(play_id, play.as_a_whole())

    def _keep(self, play_id: str, found: list[str]) -> None:
        self.n_violations += len(found)
        self.violations.extend(f"play {play_id}: {message}" if play_id else message for message in found)


def _target_violations(target: str) -> list[str]:
    found = []
    if len(target) > MAX_TARGET_BYTES:
        found.append(f"the target has {len(target)} bytes, more than {MAX_TARGET_BYTES}")
    for pair in target.partition("?")[2].split("&"):
        key, _, raw = pair.partition("=")
        if raw != encode_uri_component(unquote(raw, errors="replace")):
            found.append(f"{key} is not percent-encoded as encodeURIComponent does")
    return found


def _quantile_violations(seen: Seen) -> list[str]:
    if seen.duration_s is None or seen.n_quantiles is None or seen.duration_s < 0:
        return []
    wanted = next(n_quantiles for from_s, n_quantiles in _QUANTILES if seen.duration_s >= from_s)
    if seen.n_quantiles == wanted:
        return []
    return [f"q={seen.n_quantiles} does not follow from vd={seen.duration_s}: that makes {wanted}"]
