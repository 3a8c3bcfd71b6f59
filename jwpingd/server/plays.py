"""From a player's events to entries on flash, and plays that outlive a cut.

The laws: a ping and its play's checkpoint are one transaction.  A play with a key is held after its
connection ended, for `resume_s`, and goes on for the same user and app; any other ends with its
connection.  What can no longer be resumed gets its `gab`, at the last moment known of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from jwpingd import ping
from jwpingd.events import PlayEvent, PlaylistItem, Time
from jwpingd.moment import Moment
from jwpingd.ping import Facts, Restriction
from jwpingd.server.finished import Finished, FinishedPlays, Owner
from jwpingd.server.finished import read as read_finished
from jwpingd.server.held import Clock, HeldPlays
from jwpingd.server.player import Player, checkpoint_of, entries, is_same, revived
from jwpingd.server.tap import Tap
from jwpingd.session import Session
from jwpingd.spool import Checkpoint, Entry
from jwpingd.writer import Writer


class Plays:
    """All players of the daemon, on connections or held.  `tap` shows what passes through them."""

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        new_id: Callable[[], str],
        *,
        resume_s: float,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._new_id = new_id
        self._resume_ms = round(resume_s * 1000)
        self._by_owner: dict[Owner, Player] = {}
        self._finished = FinishedPlays()
        self._held = HeldPlays(clock, self._end_held)
        self.tap = Tap()

    def new_player(self, uid: int) -> Player:
        """A player that nothing is known of yet."""
        return Player(Session(self._new_id), uid)

    def handle(self, player: Player, event: PlayEvent, moment: Moment, facts: Facts | None) -> int:
        """Take one event; the ticket of what it put on its way to flash, 0 for nothing.

        `facts` are for a play that begins with it.  Raises OutOfSequence.
        """
        before, facts_before = player.session.play, player.facts
        pings = player.session.handle(event, moment)
        self.tap.event(player.uid, player.session, event, moment)
        if player.session.play is not before:
            player.facts = facts
        if not pings and player.session.running is before:
            return 0
        old = [made for made in pings if before is not None and made.play_id == before.play_id]
        new = pings[len(old) :]  # A new play's pings follow those that end the old one.
        self._remember_end(player, event, moment)
        return self._submit(player, entries(old, facts_before) + entries(new, player.facts))

    def finished_to_ms(self, uid: int, facts: Facts | None, item: PlaylistItem) -> int | None:
        """Up to when all is known of the play that ended last under this item's key; None: of none."""
        if facts is None:
            return None
        return self._finished.known_to_ms(Owner(uid, facts.app_id, item.play_key, item.media_id))

    def tick(self, player: Player, tick: Time, moment: Moment) -> int:
        """`handle` for a tick after an item: it neither begins nor ends a play, and hardly makes pings."""
        pings = player.session.tick(tick, moment)
        self.tap.event(player.uid, player.session, tick, moment)
        return self._submit(player, entries(pings, player.facts)) if pings else 0

    def find(self, uid: int, facts: Facts | None, event: PlayEvent) -> Player | None:
        """The player whose running play this item names by its key, wherever it is."""
        if facts is None or not isinstance(event, PlaylistItem) or not event.play_key:
            return None
        return self._by_owner.get(Owner(uid, facts.app_id, event.play_key, event.media_id))

    def move(self, found: Player) -> Player:
        """The running play of `found`, for another connection.  The one that held it has lost it."""
        self._held.take(found)
        moved = replace(found, session=found.session.hand_over(), cut_ms=None, known_to_ms=found.at_ms)
        found.saved = None
        if moved.at_ms is not None and moved.session.latest is not None:
            # What its player held back happened before it was missed.
            latest = moved.session.latest
            moved.session.latest = latest.at(min(latest.boot_ms, moved.at_ms))
        self._remember_owner(moved)
        self.save(moved)
        return moved

    def wake(self, player: Player, moment: Moment) -> int:
        """Fire the player's timer if it is due; a ticket as of `handle`."""
        pings = player.session.wake(moment)
        return self._submit(player, entries(pings, player.facts)) if pings else 0

    def save(self, player: Player) -> int:
        """Put the running play's state on its way to flash if it has changed; a ticket as of `handle`."""
        checkpoint = checkpoint_of(player)
        if checkpoint is None or is_same(checkpoint, player.saved):
            return 0
        player.saved = checkpoint
        return self._writer.submit((), checkpoints=[checkpoint])

    def restrict(self, player: Player, restriction: Restriction) -> int:
        """A stricter consent applies at once to the running play; a ticket as of `handle`."""
        left = player.facts and restriction.facts(player.facts)
        if left == player.facts:
            return 0
        player.facts = left
        return self._submit(player, ())

    def restrict_held(self, restriction: Restriction) -> int:
        """The same for the plays that wait for their players."""
        return max((self.restrict(player, restriction) for player in self._held), default=0)

    def purge(self, restriction: Restriction, embed_ids: Collection[str]) -> int:
        """It applies at once to waiting pings of these embeds, too; a ticket as of `handle`."""
        revision = _Revision(restriction, frozenset(embed_ids))
        # mypy does not see that a named tuple can be called.
        return self._writer.purge(revision, reason="opt_out", is_of_box=False)  # type: ignore[arg-type]

    def leave(self, player: Player, moment: Moment) -> int:
        """The connection is gone: hold a play that can be resumed, end any other."""
        if player.owner is None:
            return self.leave_for_good(player, moment)
        ticket = self.wake(player, moment)
        player.session.touch(moment)
        player.cut_ms = moment.boot_ms
        self._held.hold(player, moment.boot_ms + self._resume_ms)
        return max(ticket, self.save(player))

    def leave_for_good(self, player: Player, moment: Moment) -> int:
        """The player has something else to play: its running play ends, key or not."""
        self.tap.left(player.uid, player.session, moment)
        return self._submit(player, entries(player.session.end(moment), player.facts))

    def recover(self, checkpoints: Sequence[Checkpoint], now: Moment, *, is_late: bool = False) -> None:
        """Plays that the last run left behind: hold what can be resumed, send the rest's `gab`.

        After a crash nobody knows when it was, so the time to resume counts from now.  `is_late`: players
        have been served before the store could be read, so what they had is not resumed any more.
        """
        for checkpoint in checkpoints:
            finished = read_finished(checkpoint)
            if finished is not None and finished.boot_id == now.boot_id:
                self._finished.add(finished)
                continue
            player = revived(checkpoint, self._new_id)
            if player is None or is_late or not self._is_in_time(player, now):
                wills = [] if checkpoint.will is None else [checkpoint.will]
                self.tap.pings(wills)
                self._writer.submit(wills, ended=[checkpoint.play])
                continue
            self._remember_owner(player)
            cut_ms = now.boot_ms if player.cut_ms is None else player.cut_ms
            self._held.hold(player, cut_ms + self._resume_ms)

    async def run(self) -> None:
        """End held plays when their time is over, until cancelled."""
        await self._held.run()

    @property
    def n_held(self) -> int:
        """Plays that wait for their player to come back."""
        return len(self._held)

    # --- how it is done -----------------------------------------------------------------------

    def _submit(self, player: Player, made: Sequence[Entry]) -> int:
        checkpoint = checkpoint_of(player)
        previous, player.saved = player.saved, checkpoint
        ended = [previous.play] if previous and (not checkpoint or previous.play != checkpoint.play) else []
        self._remember_owner(player)
        if not made and not ended and checkpoint is None:
            return 0
        self.tap.pings(made)
        checkpoints = [checkpoint] if checkpoint else []
        if player.finished is not None:  # A play's row is replaced after those of ended plays are gone.
            checkpoints.append(player.finished.checkpoint)
            player.finished = None
        ended += self._finished.take_forgotten(self._clock.now().boot_ms)
        return self._writer.submit(made, checkpoints=checkpoints, ended=ended)

    def _remember_end(self, player: Player, event: PlayEvent, moment: Moment) -> None:
        """The player has ended a play that it may tell of again."""
        if player.at_ms is None or player.saved is None:
            return
        owner = next((owner for owner, known in self._by_owner.items() if known is player), None)
        if owner is None:
            return
        if player.session.running is not None and player.session.running.play_id == player.saved.play:
            return
        # The item that replaced it is news, even of a player that comes again.
        at_ms = player.at_ms - 1 if isinstance(event, PlaylistItem) else player.at_ms
        player.finished = Finished(owner, player.saved.play, moment.boot_id, at_ms)
        self._finished.add(player.finished)

    def _end_held(self, player: Player) -> None:
        assert player.session.latest is not None
        self.leave_for_good(player, player.session.latest)

    def _is_in_time(self, player: Player, now: Moment) -> bool:
        """Whether the play of an earlier run can be resumed: in the same boot, and not for ever."""
        is_late = player.cut_ms is not None and player.cut_ms + self._resume_ms <= now.boot_ms
        latest = player.session.latest
        return latest is not None and latest.boot_id == now.boot_id and not is_late

    def _remember_owner(self, player: Player) -> None:
        self._forget_owner(player)
        if player.owner is not None:
            self._by_owner[player.owner] = player

    def _forget_owner(self, player: Player) -> None:
        for owner in [owner for owner, known in self._by_owner.items() if known is player]:
            del self._by_owner[owner]


class _Revision(NamedTuple):
    """A restriction of some players' pings.  Equal ones do the same, so that one of them is enough."""

    restriction: Restriction
    embed_ids: frozenset[str]

    def __call__(self, target: str) -> str | None:
        return self.restriction.target(target) if ping.embed_id(target) in self.embed_ids else target
