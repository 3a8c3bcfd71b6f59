"""What is said on one connection: lines in, players driven, answers out.  Knows no socket and no clock.

An answer `{"ack": id}` waits until everything its line and those before it put on its way to flash is
durable (docs/protocol.md, "id and ack").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from jwpingd import wire
from jwpingd.errors import BadEvent, PlayerError
from jwpingd.events import Consent, Hello, PlayEvent, PlaylistItem, Time
from jwpingd.moment import Moment
from jwpingd.ping import Facts, Restriction
from jwpingd.server.acks import Acks
from jwpingd.server.claims import Claims
from jwpingd.server.player import Player
from jwpingd.server.players import Players
from jwpingd.server.plays import Plays
from jwpingd.server.refusals import Refusals
from jwpingd.wire import Received, Rejected
from jwpingd.writer import Writer

MAX_AT_AGE_MS = 10 * 60 * 1000  # events may be held back this long


class Rules(NamedTuple):
    """What holds for every connection; `token_claim` names the user id in an access token.

    `consent` holds until a player says otherwise.  `purges_on_opt_out`: a stricter consent counts for
    waiting pings, too.
    """

    max_line_bytes: int
    max_players: int
    checkpoint_s: float
    token_claim: str
    consent: Consent = Consent.FULL
    purges_on_opt_out: bool = True


class Dialogue:
    """Feed it bytes and moments; it drives the players and replies.

    `describe` gives the facts of a play that begins, None where no ping may be made; `reply` sends a
    line, `acknowledge` one that is an ack; `complain` logs a player's first mistake.  `ticket` is that
    of the last thing it put on its way to flash.  `has_only_ticked` tells whether the last bytes were
    nothing but ticks that made no ping.

    An item that begins a play stops it: `is_waiting`, until `go_on`, so that who plays can be found out.
    """

    def __init__(
        self,
        uid: int,
        plays: Plays,
        writer: Writer,
        rules: Rules,
        *,
        describe: Callable[[Claims], Facts | None],
        reply: Callable[[bytes], None],
        acknowledge: Callable[[bytes], None],
        complain: Callable[[str], None],
    ) -> None:
        self.uid = uid
        self.claims = Claims()
        self.players = Players(uid, plays, max_players=rules.max_players, checkpoint_s=rules.checkpoint_s)
        self.acks = Acks(writer, acknowledge)
        self.ticket = 0
        self.has_only_ticked = False
        self._plays = plays
        self._rules = rules
        self._describe = describe
        self._refusals = Refusals(uid, plays.tap, reply=reply, complain=complain)
        self._reader = wire.LineReader(rules.max_line_bytes)
        self._waiting: deque[tuple[Received | Rejected, Moment]] = deque()
        self._purged_to = 0
        self._purged_of = Restriction.NOTHING
        self._last_at_ms: int | None = None

    def take(self, data: bytes, now: Moment) -> None:
        """Handle the lines that end in `data`, as far as the next item."""
        results = self._reader.feed(data)
        self.has_only_ticked = bool(results)
        n_ticks = 0 if self._waiting else self._tick(results, now)
        self._waiting.extend((result, now) for result in results[n_ticks:])
        self._handle_to_next_item()

    @property
    def is_waiting(self) -> bool:
        """Whether lines wait, the first of them an item, for `go_on`."""
        return bool(self._waiting)

    def go_on(self) -> None:
        """Begin the play of the item that waits, and handle what follows as far as the next."""
        self._handle(*self._waiting.popleft())
        self._handle_to_next_item()

    def leave(self, now: Moment) -> None:
        """The peer is gone, or the daemon goes: every play is ended, or held for its key."""
        self._waiting.extend((result, now) for result in self._reader.end())
        while self._waiting:
            self._handle(*self._waiting.popleft())
        self._note(self.players.leave(now))

    def wake(self, now: Moment) -> None:
        """Do what is due by `players.wake_at_ms`."""
        self._note(self.players.wake(now))

    def restrict(self, restriction: Restriction) -> None:
        """It applies at once to everything that plays on this connection."""
        self._note(self.players.restrict(restriction))

    # --- lines --------------------------------------------------------------------------------

    def _tick(self, results: list[Received | Rejected], now: Moment) -> int:
        """Take the first of `results` as long as they are ticks and no more, as nearly all are; how many."""
        for idx, result in enumerate(results):
            if not isinstance(result, Received) or type(result.event) is not Time:
                return idx
            player = self.players.known(result.event.player)
            is_plain = result.ack_id is None and result.at_ms is None
            if not is_plain or player is None or player.session.play is None:
                return idx
            ticket = self._plays.tick(player, result.event, now)
            if ticket:
                self._note(ticket)
            self.players.save_later(player, now)
        return len(results)

    def _handle_to_next_item(self) -> None:
        while self._waiting and not _is_item(self._waiting[0][0]):
            self._handle(*self._waiting.popleft())

    def _handle(self, result: Received | Rejected, now: Moment) -> None:
        if isinstance(result, Rejected):
            self._refuse(result)
            return
        if type(result.event) is not Time or result.ack_id is not None:
            self.has_only_ticked = False
        try:
            self._obey(result, now)
        except PlayerError as error:
            self._refuse(Rejected(error.with_traceback(None), result.line, result.ack_id))

    def _obey(self, line: Received, now: Moment) -> None:
        event = line.event
        if isinstance(event, Hello):
            self._greet(event)
        else:
            self._play(event, line.at_ms, now)
        if line.ack_id is not None:
            self._acknowledge(line.ack_id)

    def _moment_at(self, at_ms: int, now: Moment) -> Moment:
        """When a line that carries `at` happened; `now` where `at` cannot be true."""
        is_in_order = self._last_at_ms is None or at_ms >= self._last_at_ms
        if not is_in_order or not now.boot_ms - MAX_AT_AGE_MS <= at_ms <= now.boot_ms:
            return now
        self._last_at_ms = at_ms
        return now.at(at_ms)

    def _play(self, event: PlayEvent, at_ms: int | None, now: Moment) -> None:
        player = self.players.of(event)
        if _is_said_again(player, at_ms):
            return
        moment = now if at_ms is None else self._moment_at(at_ms, now)
        facts = None
        if isinstance(event, PlaylistItem):
            facts = self._describe(self.claims)
            known_to_ms = self._plays.finished_to_ms(self.uid, facts, event)
            if at_ms is not None and known_to_ms is not None and at_ms <= known_to_ms:
                player.known_to_ms = known_to_ms
                return
            player = self._take_over(player, event, moment, facts)
            if _is_said_again(player, at_ms):
                return
        if at_ms is not None and now.boot_ms - MAX_AT_AGE_MS <= at_ms <= now.boot_ms:
            player.at_ms = max(at_ms, player.at_ms or 0)
        ticket = self._plays.handle(player, event, moment, facts)
        if ticket:
            self._note(ticket)
        self.players.save_later(player, moment)

    def _take_over(self, mine: Player, item: PlaylistItem, moment: Moment, facts: Facts | None) -> Player:
        """The player that goes on with the play of this key, under the consent of this connection."""
        player, ticket = self.players.take_over(mine, item, moment, facts)
        self._note(ticket)
        if player is not mine:
            self._note(self._plays.restrict(player, self.claims.restriction(self._rules.consent)))
        return player

    def _greet(self, hello: Hello) -> None:
        try:
            self._heed(hello)
        except BadEvent:
            # Whoever is there now, it is not the user of before, and what the hello forbids is forbidden.
            self._heed(hello._replace(user=None, is_logged_out=True))
            raise

    def _heed(self, hello: Hello) -> None:
        before = self.claims.restriction(self._rules.consent)
        self.claims = self.claims.after(hello, self._rules.token_claim)
        restriction = self.claims.restriction(self._rules.consent)
        user_hash = self.claims.user_hash if restriction < Restriction.ANONYMOUS else None
        self._plays.tap.hello(self.uid, hello, user_hash=user_hash)
        if restriction > before:
            self.restrict(restriction)
            self._purge(restriction)

    def _purge(self, restriction: Restriction) -> None:
        """What waits of this connection's pings obeys, too; what obeys already costs nothing."""
        is_done = self.ticket == self._purged_to and restriction <= self._purged_of
        if self._rules.purges_on_opt_out and self.players.embed_ids and not is_done:
            self._note(self._plays.purge(restriction, self.players.embed_ids))
            self._purged_to, self._purged_of = self.ticket, restriction

    def _acknowledge(self, ack_id: str | int) -> None:
        self._note(self.players.save_timers())  # The state of a waiting vs is part of the promise.
        self.acks.add(self.ticket, ack_id)

    def _refuse(self, rejected: Rejected) -> None:
        self.has_only_ticked = False
        if not self._refusals.is_told(rejected.error):
            self._refusals.tell(rejected)
        elif rejected.ack_id is not None:
            self._acknowledge(rejected.ack_id)

    def _note(self, ticket: int) -> None:
        if ticket:
            self.ticket = max(self.ticket, ticket)
            self.has_only_ticked = False


def _is_said_again(player: Player, at_ms: int | None) -> bool:
    """Whether a resumed play has taken this event already, before the cut.

    After a cut a player cannot know what arrived, so it says the last minute again.  What a checkpoint
    holds is all up to the `at` in it and nothing later, so by its `at` each event counts once.
    """
    return at_ms is not None and player.known_to_ms is not None and at_ms <= player.known_to_ms


def _is_item(result: Received | Rejected) -> bool:
    return isinstance(result, Received) and type(result.event) is PlaylistItem
