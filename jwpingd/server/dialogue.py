"""What is said on one connection: lines in, players driven, answers out.  Knows no socket and no clock.

An answer `{"ack": id}` waits until everything its line and those before it put on its way to flash is
durable (design §3).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from jwpingd import wire
from jwpingd.errors import PlayerError, TooManyPlayers, UnknownEvent
from jwpingd.events import Consent, Hello, PlayEvent, PlaylistItem, Time
from jwpingd.moment import Moment
from jwpingd.ping import Facts, Restriction
from jwpingd.server.claims import Claims
from jwpingd.server.player import Player
from jwpingd.server.plays import Plays
from jwpingd.wire import Received, Rejected
from jwpingd.writer import Writer

MAX_AT_AGE_MS = 10 * 60 * 1000  # events may be held back this long
MAX_WAITING_ACKS = 1000  # a later ack tells of all before it, so the oldest go first
MAX_EMBEDS = 1024  # players of one connection, those included whose plays it took over from others


@dataclass(frozen=True, slots=True)
class Rules:
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
        self.players: dict[str, Player] = {}
        self.ticket = 0
        self.has_only_ticked = False
        self._plays = plays
        self._writer = writer
        self._rules = rules
        self._describe = describe
        self._reply = reply
        self._send_ack = acknowledge
        self._complain = complain
        self._reader = wire.LineReader(rules.max_line_bytes)
        self._waiting: deque[tuple[Received | Rejected, Moment]] = deque()
        self._waiting_acks: deque[tuple[int, str | int]] = deque(maxlen=MAX_WAITING_ACKS)
        self._embed_ids: set[str] = set()
        self._purged_to = 0
        self._purged_of = Restriction.NOTHING
        self._told_unknown: set[str] = set()
        self._has_complained = False
        self._last_at_ms: int | None = None
        self._save_at_ms: int | None = None

    def take(self, data: bytes, now: Moment) -> int:
        """Handle the lines that end in `data`, as far as the next item; how many there were."""
        results = self._reader.feed(data)
        self.has_only_ticked = bool(results)
        n_ticks = 0 if self._waiting else self._tick(results, now)
        self._waiting.extend((result, now) for result in results[n_ticks:])
        self._handle_to_next_item()
        return len(results)

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
        for player in self.players.values():
            self._note(self._plays.leave(player, now))
        self.players = {}

    @property
    def wake_at_ms(self) -> int | None:
        """When `wake` must be called next, on the suspend-proof clock."""
        due = [
            due_ms for player in self.players.values() if (due_ms := player.session.wake_at_ms) is not None
        ]
        if self._save_at_ms is not None:
            due.append(self._save_at_ms)
        return min(due, default=None)

    def wake(self, now: Moment) -> None:
        """Do what is due: a `vs` that has settled, a checkpoint of what plays."""
        for player in self.players.values():
            self._note(self._plays.wake(player, now))
        if self._save_at_ms is not None and self._save_at_ms <= now.boot_ms:
            self._save_at_ms = None
            for player in self.players.values():
                self._note(self._plays.save(player))

    @property
    def next_ack_ticket(self) -> int | None:
        """What must be durable for the oldest waiting ack; None where none waits."""
        return self._waiting_acks[0][0] if self._waiting_acks else None

    def send_due_acks(self) -> None:
        """Acknowledge all that is on flash by now."""
        while self._waiting_acks and self._writer.is_durable(self._waiting_acks[0][0]):
            self._send_ack(wire.ack(self._waiting_acks.popleft()[1]))

    # --- lines --------------------------------------------------------------------------------

    def _tick(self, results: list[Received | Rejected], now: Moment) -> int:
        """Take the first of `results` as long as they are ticks and no more, as nearly all are; how many."""
        for idx, result in enumerate(results):
            if not isinstance(result, Received) or type(result.event) is not Time:
                return idx
            player = self.players.get(result.event.player)
            is_plain = result.ack_id is None and result.at_ms is None
            if not is_plain or player is None or player.session.play is None:
                return idx
            ticket = self._plays.tick(player, result.event, now)
            if ticket:
                self._note(ticket)
            if self._save_at_ms is None and player.session.running is not None:
                self._save_at_ms = now.boot_ms + round(self._rules.checkpoint_s * 1000)
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
        player = self._player(event)
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
        if at_ms is not None and at_ms >= now.boot_ms - MAX_AT_AGE_MS:
            player.at_ms = max(at_ms, player.at_ms or 0)
        ticket = self._plays.handle(player, event, moment, facts)
        if ticket:
            self._note(ticket)
        if self._save_at_ms is None and player.session.running is not None:
            self._save_at_ms = moment.boot_ms + round(self._rules.checkpoint_s * 1000)

    def _player(self, event: PlayEvent) -> Player:
        """The player the event names; a new one only for an item, so that nonsense makes none."""
        known = self.players.get(event.player)
        if known is not None:
            return known
        if not isinstance(event, PlaylistItem):
            return self._plays.new_player(self.uid)
        if len(self.players) >= self._rules.max_players:
            raise TooManyPlayers(f"a connection may have {self._rules.max_players} players, and has them")
        self._adopt(event.player, self._plays.new_player(self.uid))
        return self.players[event.player]

    def _adopt(self, name: str, player: Player) -> None:
        """The player is this connection's from now on, and what it says of consent counts for it."""
        self.players[name] = player
        self._embed_ids.add(player.session.embed_id)

    def _take_over(self, mine: Player, item: PlaylistItem, moment: Moment, facts: Facts | None) -> Player:
        """The player whose running play `item` names by its key, now on this connection; else `mine`."""
        found = self._plays.find(self.uid, facts, item)
        if found is None or found is mine:
            return mine
        if len(self._embed_ids) >= MAX_EMBEDS:
            raise TooManyPlayers(f"this connection has had {MAX_EMBEDS} players; go on over another one")
        self._note(self._plays.leave_for_good(mine, moment))
        found = self._plays.move(found)
        self._adopt(item.player, found)
        self._note(self._plays.restrict(found, self.claims.restriction(self._rules.consent)))
        return found

    def restrict(self, restriction: Restriction) -> None:
        """It applies at once to everything that plays on this connection."""
        for player in self.players.values():
            self._note(self._plays.restrict(player, restriction))

    def _greet(self, hello: Hello) -> None:
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
        if self._rules.purges_on_opt_out and self._embed_ids and not is_done:
            self._note(self._plays.purge(restriction, self._embed_ids))
            self._purged_to, self._purged_of = self.ticket, restriction

    def _acknowledge(self, ack_id: str | int) -> None:
        # The state of a waiting vs is part of the promise; only a play with a key can use it after a cut.
        for player in self.players.values():
            if player.session.wake_at_ms is not None and player.owner is not None:
                self._note(self._plays.save(player))
        if not self._waiting_acks and self._writer.is_durable(self.ticket):
            self._send_ack(wire.ack(ack_id))
        else:
            self._waiting_acks.append((self.ticket, ack_id))

    def _refuse(self, rejected: Rejected) -> None:
        self.has_only_ticked = False
        if isinstance(rejected.error, UnknownEvent) and self._is_told(str(rejected.error)):
            if rejected.ack_id is not None:
                self._acknowledge(rejected.ack_id)
            return
        self._reply(wire.error_reply(rejected))
        self._plays.tap.refused(self.uid, rejected.error, rejected.line)
        if not self._has_complained:
            self._has_complained = True
            self._complain(f"{rejected.error.code} in line {rejected.line}")

    def _is_told(self, message: str) -> bool:
        """An unknown event is told once per connection; beyond a hundred of them all count as told."""
        if message in self._told_unknown or len(self._told_unknown) >= 100:
            return True
        self._told_unknown.add(message)
        return False

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
