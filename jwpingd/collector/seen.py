"""One ping's parameters as values.  The only file of the collector that reads wire keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_WHOLE = re.compile(r"-?[0-9]{1,15}")  # 15 digits: the longest number that the interface knows is sa

_PROGRESS_KEYS = frozenset({"vd", "q", "pw", "ti"})


class Seen(NamedTuple):
    """What a ping says.  A value that is missing or not a number is None, a missing text is empty.

    `viewer` is the app user if one is logged in, else the installation, else empty (anonymous).
    `has_progress`: the ping carries some of what says how far its play has come.
    """

    kind: str
    sa_ms: int | None
    embed_id: str
    play_id: str
    item_number: int | None
    media_id: str
    title: str
    viewer: str
    duration_s: int | None
    n_quantiles: int | None
    position_128ths: int | None
    watched_s: int | None
    has_progress: bool

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Seen:
        """Reads `parameters`, wire key → value in clear text, whatever they are."""
        return cls(
            kind=parameters.get("e", ""),
            sa_ms=_whole(parameters.get("sa")),
            embed_id=parameters.get("emi", ""),
            play_id=parameters.get("pli", ""),
            item_number=_whole(parameters.get("pss")),
            media_id=parameters.get("id", ""),
            title=parameters.get("t", ""),
            viewer=parameters.get("oaid") or parameters.get("oiid") or "",
            duration_s=_whole(parameters.get("vd")),
            n_quantiles=_whole(parameters.get("q")),
            position_128ths=_whole(parameters.get("pw")),
            watched_s=_whole(parameters.get("ti")),
            has_progress=not parameters.keys().isdisjoint(_PROGRESS_KEYS),
        )

    def constants(self) -> dict[str, str]:
        """Wire key → value of what is the same on every ping of a play.

        The duration is among them only when there is one: a play may begin as live and become
        ordinary, but its first real duration counts for the whole play (ping interface §5.3).
        """
        values = {"emi": self.embed_id, "pss": str(self.item_number), "id": self.media_id, "t": self.title}
        if self.n_quantiles:
            values["vd"] = str(self.duration_s)
        return values


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None
