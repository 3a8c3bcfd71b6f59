"""The players of one connection, and the plays that it takes over from others by their keys."""

from __future__ import annotations

from collections.abc import Iterator

from jwpingd.errors import TooManyPlayers
from jwpingd.events import PlayEvent, PlaylistItem
from jwpingd.moment import Moment
from jwpingd.ping import Facts, Restriction
from jwpingd.plural import counted
from jwpingd.server.player import Player
from jwpingd.server.plays import Plays

MAX_EMBEDS = 1024  # players of one connection, those included whose plays it took over from others


class Players:
    """By the name that events give them.  `embed_ids` are those of all that it ever had.

    A ticket that a method returns is that of the last thing it put on its way to flash, 0 for nothing.
    """

    def __init__(self, uid: int, plays: Plays, *, max_players: int, checkpoint_s: float) -> None:
        self._uid = uid
        self._plays = plays
        self._max_players = max_players
        self._checkpoint_ms = round(checkpoint_s * 1000)
        self._by_name: dict[str, Player] = {}
        self._save_at_ms: int | None = None
        self.embed_ids: set[str] = set()

    def __iter__(self) -> Iterator[Player]:
        return iter(self._by_name.values())

    def items(self) -> Iterator[tuple[str, Player]]:
        """Names and players."""
        return iter(self._by_name.items())

    def known(self, name: str) -> Player | None:
        """The player of that name, if it has had an item."""
        return self._by_name.get(name)

    def of(self, event: PlayEvent) -> Player:
        """The player the event names; a new one only for an item, so that nonsense makes none.

        Raises TooManyPlayers.
        """
        known = self._by_name.get(event.player)
        if known is not None:
            return known
        if not isinstance(event, PlaylistItem):
            return self._plays.new_player(self._uid)
        if len(self._by_name) >= self._max_players:
            raise TooManyPlayers(f"a connection may have {counted(self._max_players, 'player')}, no more")
        return self._adopt(event.player, self._plays.new_player(self._uid))

    def take_over(
        self, mine: Player, item: PlaylistItem, moment: Moment, facts: Facts | None
    ) -> tuple[Player, int]:
        """The player whose running play `item` names by its key, now on this connection; else `mine`.

        With a ticket.  Raises TooManyPlayers.
        """
        found = self._plays.find(self._uid, facts, item)
        if found is None or found is mine:
            return mine, 0
        if len(self.embed_ids) >= MAX_EMBEDS:
            raise TooManyPlayers(
                f"this connection has had as many players as it may ({MAX_EMBEDS}); go on over another one"
            )
        ticket = self._plays.leave_for_good(mine, moment)
        return self._adopt(item.player, self._plays.move(found)), ticket

    def restrict(self, restriction: Restriction) -> int:
        """It applies at once to everything that plays; a ticket."""
        return max((self._plays.restrict(player, restriction) for player in self), default=0)

    def leave(self, now: Moment) -> int:
        """Every play is ended, or held for its key; a ticket."""
        ticket = max((self._plays.leave(player, now) for player in self), default=0)
        self._by_name = {}
        return ticket

    # --- timers -------------------------------------------------------------------------------

    @property
    def wake_at_ms(self) -> int | None:
        """When `wake` must be called next, on the suspend-proof clock."""
        due = [due_ms for player in self if (due_ms := player.session.wake_at_ms) is not None]
        if self._save_at_ms is not None:
            due.append(self._save_at_ms)
        return min(due, default=None)

    def wake(self, now: Moment) -> int:
        """Do what is due: a `vs` that has settled, a checkpoint of what plays; a ticket."""
        ticket = max((self._plays.wake(player, now) for player in self), default=0)
        if self._save_at_ms is not None and self._save_at_ms <= now.boot_ms:
            self._save_at_ms = None
            ticket = max([ticket, *(self._plays.save(player) for player in self)])
        return ticket

    def save_later(self, player: Player, moment: Moment) -> None:
        """A play that runs is due for a checkpoint in a while."""
        if self._save_at_ms is None and player.session.running is not None:
            self._save_at_ms = moment.boot_ms + self._checkpoint_ms

    def save_timers(self) -> int:
        """Save now what a cut would lose of a waiting `vs`: only a play with a key can use it.  A ticket."""
        waiting = (player for player in self if player.session.wake_at_ms is not None and player.owner)
        return max((self._plays.save(player) for player in waiting), default=0)

    def _adopt(self, name: str, player: Player) -> Player:
        """The player is this connection's from now on, and what it says of consent counts for it."""
        self._by_name[name] = player
        self.embed_ids.add(player.session.embed_id)
        return player
