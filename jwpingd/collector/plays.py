"""The rules across the pings of one play.

Pings arrive in any order, because the daemon keeps several requests in flight and tries failed ones
again.  So order is judged by `sa`, and pings of the same millisecond are never out of order.  What a
ping that is still to come may explain is told only by `as_a_whole`, when nothing more will come.
"""

from __future__ import annotations

from jwpingd.collector.seen import Seen

_ONCE = frozenset({"e", "s", "gab"})
_BARE_SEEK = "vs without progress"
_LIVE, _ORDINARY = "a live ping", "one with a duration"

_NEVER_LATER = (
    *(("e=e", f"e={kind}") for kind in ("i", "s", _BARE_SEEK, "vs", "t", "gab")),
    *((f"e={kind}", "e=gab") for kind in ("i", "s", _BARE_SEEK, "vs", "t")),
    ("e=s", "e=t"),
    ("e=s", "e=vs"),
    (f"e={_BARE_SEEK}", "e=s"),
    (_LIVE, _ORDINARY),
)
"""(first, second): no ping of the first sort has a later `sa` than one of the second (§5)."""

_RANK_SEEK, _RANK_QUANTILE = 0, 1  # At the same moment a vs comes before a t (§5.7).

_MAX_MARKS = 256
"""Newest t and vs remembered per play: 32 quantiles and a seek after each, four times over."""

_MAX_RATE = 2  # Content seconds per second that count as watched (§5.4).
_START_S = 4  # 2 s counted at once at the first tick, 2 s after a seek whose vs the end dropped (§5.4, §5.8).
_SEEK_S = 2  # Counted at once after every seek (§5.4).


class Play:
    """What is remembered of one play, in bounded memory."""

    def __init__(self, play_id: str) -> None:
        self.play_id = play_id
        self._constants: dict[str, str] = {}
        self._earliest: dict[str, int] = {}
        self._latest: dict[str, int] = {}
        self._marks: list[tuple[int, int, int]] = []  # (sa, rank, pw)
        self._n_seeks = 0
        self._watched_s = 0

    def take(self, seen: Seen, sa_ms: int) -> list[str]:
        """Adds a ping; returns what no later arrival can excuse, in words."""
        found = self._changed_constants(seen)
        if seen.kind in _ONCE and f"e={seen.kind}" in self._latest:
            return [*found, f"a second e={seen.kind} of the same play"]
        for sort in _sorts(seen):
            found += self._misplaced(sort, sa_ms)
            self._earliest[sort] = min(sa_ms, self._earliest.get(sort, sa_ms))
            self._latest[sort] = max(sa_ms, self._latest.get(sort, sa_ms))
        self._count(seen, sa_ms)
        return found

    def as_a_whole(self) -> list[str]:
        """What is wrong with the play if no more of its pings come, in words."""
        return self._missing() + self._too_many_seconds() + self._repeated_quantiles()

    def is_open(self) -> bool:
        """Whether the play was seen to start and not seen to end."""
        return "e=s" in self._latest and "e=gab" not in self._latest

    def _changed_constants(self, seen: Seen) -> list[str]:
        found = []
        for key, value in seen.constants().items():
            first = self._constants.setdefault(key, value)
            if value != first:
                found.append(f"{key}={value!r}, but it was {first!r} on another ping of the same play")
        return found

    def _misplaced(self, sort: str, sa_ms: int) -> list[str]:
        found = []
        for first, second in _NEVER_LATER:
            if sort == first and self._earliest.get(second, sa_ms) < sa_ms:
                found.append(_out_of_order(first, second, sa_ms - self._earliest[second]))
            if sort == second and self._latest.get(first, sa_ms) > sa_ms:
                found.append(_out_of_order(first, second, self._latest[first] - sa_ms))
        return found

    def _count(self, seen: Seen, sa_ms: int) -> None:
        self._watched_s += max(0, seen.watched_s or 0)
        if seen.kind == "vs":
            self._n_seeks += 1
            self._mark(sa_ms, _RANK_SEEK, 0)
        elif seen.kind == "t" and seen.position_128ths is not None and seen.n_quantiles:
            self._mark(sa_ms, _RANK_QUANTILE, seen.position_128ths)

    def _mark(self, sa_ms: int, rank: int, position_128ths: int) -> None:
        self._marks.append((sa_ms, rank, position_128ths))
        if len(self._marks) > _MAX_MARKS:
            self._marks.remove(min(self._marks))

    def _missing(self) -> list[str]:
        found = [] if "e=e" in self._latest else ["no e=e arrived"]
        if "e=s" not in self._latest:
            later = [sort for sort in ("e=t", "e=vs", "e=gab") if sort in self._latest]
            found += [f"no e=s arrived, but {', '.join(later)} did"] if later else []
        return found

    def _too_many_seconds(self) -> list[str]:
        start_ms = self._latest.get("e=s")
        if start_ms is None:
            return []
        played_ms = max(self._latest.values()) - start_ms
        most_s = (_MAX_RATE * played_ms) // 1000 + _START_S + _SEEK_S * self._n_seeks
        if self._watched_s <= most_s:
            return []
        return [f"{self._watched_s} s reported within {played_ms / 1000:.1f} s: some were counted twice"]

    def _repeated_quantiles(self) -> list[str]:
        """The same threshold twice in a row without a seek between.

        A player that jumps back without seek events looks the same, and ought to send them.
        """
        found, last = [], None
        for _sa_ms, rank, position_128ths in sorted(self._marks):
            if rank == _RANK_QUANTILE and position_128ths == last:
                found.append(f"pw={position_128ths} on two e=t in a row, without a seek between")
            last = position_128ths if rank == _RANK_QUANTILE else None
        return found


def _sorts(seen: Seen) -> list[str]:
    """The sorts of `_NEVER_LATER` that a ping belongs to."""
    kind = _BARE_SEEK if seen.kind == "vs" and not seen.has_progress else seen.kind
    if seen.n_quantiles is None:
        return [f"e={kind}"]
    return [f"e={kind}", _ORDINARY if seen.n_quantiles else _LIVE]


def _out_of_order(first: str, second: str, by_ms: int) -> str:
    return f"{second} lies {by_ms} ms before {first} of the same play"
