"""The rule across the plays of one player instance (embed): its items are counted up."""

from __future__ import annotations

from typing import NamedTuple

from jwpingd.collector.seen import Seen

_LAST_NUMBER = 99_999  # The count stays there (ping interface §5).


class _Item(NamedTuple):
    setup_ms: int
    number: int


class Embeds:
    """The items of every embed whose plays are remembered."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, _Item]] = {}  # embed → play → item
        self._embed_of: dict[str, str] = {}

    def take(self, seen: Seen, sa_ms: int) -> list[str]:
        """Adds a play by its setup ping; returns what is wrong with its number, in words."""
        if seen.kind != "e" or seen.item_number is None or seen.play_id in self._embed_of:
            return []
        item = _Item(sa_ms, seen.item_number)
        others = self._items.setdefault(seen.embed_id, {})
        found = [message for other in others.values() if (message := _conflict(item, other))]
        others[seen.play_id] = item
        self._embed_of[seen.play_id] = seen.embed_id
        return found[:1]

    def forget(self, play_id: str) -> None:
        """Drops a play that is no longer remembered."""
        embed_id = self._embed_of.pop(play_id, None)
        if embed_id is None:
            return
        del self._items[embed_id][play_id]
        if not self._items[embed_id]:
            del self._items[embed_id]


def _conflict(item: _Item, other: _Item) -> str:
    if item.number == other.number == _LAST_NUMBER:
        return ""
    if item.number == other.number:
        return f"pss={item.number} is that of another play of this embed"
    earlier, later = sorted((item, other), key=lambda each: (each.setup_ms, each.number))
    if earlier.number < later.number:
        return ""
    return f"pss does not count up within the embed: {earlier.number}, then {later.number}"
