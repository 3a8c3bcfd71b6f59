"""Totals as the OTT report shows them: plays, unique viewers, ad impressions, minutes watched.

Duplicates must be left out by the caller.  Memory is bounded: beyond the limits a ping counts in the
total but not in a row of its own, and a viewer is no longer told from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jwpingd.collector.seen import Seen

MAX_MEDIA = 1_000
"""Media with a row of their own."""

MAX_VIEWERS = 100_000
"""Pairs of a viewer and a media id, totals included; about 20 MB."""


@dataclass(slots=True)
class Row:
    """The counts of one media id, or of all."""

    title: str = ""
    n_setups: int = 0
    n_plays: int = 0
    n_viewers: int = 0
    n_ad_impressions: int = 0
    watched_s: int = 0

    def as_json(self) -> dict[str, object]:
        """The row as the report's JSON; minutes have two digits."""
        return {
            "title": self.title,
            "setups": self.n_setups,
            "plays": self.n_plays,
            "viewers": self.n_viewers,
            "ad_impressions": self.n_ad_impressions,
            "watched_s": self.watched_s,
            "minutes_watched": round(self.watched_s / 60, 2),
        }


@dataclass(slots=True)
class Totals:
    """All rows.  `media` is by media id in order of first arrival."""

    total: Row = field(default_factory=Row)
    media: dict[str, Row] = field(default_factory=dict)
    _viewers: set[tuple[str, str]] = field(default_factory=set)

    def add(self, parameters: Mapping[str, str]) -> None:
        """Counts one ping; what it lacks counts nothing."""
        seen = Seen.of(parameters)
        self._count(self.total, "", seen)
        if seen.media_id in self.media or (seen.media_id and len(self.media) < MAX_MEDIA):
            row = self.media.setdefault(seen.media_id, Row())
            row.title = seen.title or row.title
            self._count(row, seen.media_id, seen)

    def as_json(self) -> dict[str, object]:
        """`total` and `media` as plain values."""
        total = self.total.as_json()
        del total["title"]
        return {"total": total, "media": {media_id: row.as_json() for media_id, row in self.media.items()}}

    def _count(self, row: Row, media_id: str, seen: Seen) -> None:
        row.n_setups += seen.kind == "e"
        row.n_plays += seen.kind == "s"
        row.n_ad_impressions += seen.kind == "i"
        row.watched_s += max(0, seen.watched_s or 0)
        if seen.kind == "s" and seen.viewer:
            row.n_viewers += self._is_new_viewer((media_id, seen.viewer))

    def _is_new_viewer(self, pair: tuple[str, str]) -> bool:
        if pair in self._viewers or len(self._viewers) >= MAX_VIEWERS:
            return False
        self._viewers.add(pair)
        return True
