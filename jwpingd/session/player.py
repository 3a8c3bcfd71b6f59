"""One player: the plays it makes, one after the other, within one embed."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace

from jwpingd import events
from jwpingd.errors import OutOfSequence
from jwpingd.moment import Moment
from jwpingd.ping import Ping
from jwpingd.session.play import Play

MAX_ITEM_NUMBER = 99_999  # `pss` stays there (§3)


class Session:
    """Feed it events in order; it returns the pings that follow.

    `new_id` supplies random ids of 12 characters of [0-9a-z], for the embed and for each play.  Moments
    that run backwards count as the latest one seen, so `sa` never runs backwards within a player.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self.embed_id = new_id()
        self.n_items = 0
        self.play: Play | None = None
        self.latest: Moment | None = None

    def handle(self, event: events.PlayEvent, moment: Moment) -> list[Ping]:
        """The pings that `event` causes at `moment`, after those of a timer that was due by then.

        Raises OutOfSequence, and changes nothing, before the player's first `playlistItem`.
        """
        if self.play is None and not isinstance(event, events.PlaylistItem):
            raise OutOfSequence(f"{_name(event)} came before the player's first playlistItem")
        moment = self._advance(moment)
        pings = self.wake(moment)
        if isinstance(event, events.PlaylistItem):
            return pings + self._begin(event, moment)
        assert self.play is not None
        if not self.play.is_over:
            _HANDLERS[type(event)](self.play, event, moment)
        return pings + self._collect()

    def tick(self, tick: events.Time, moment: Moment) -> list[Ping]:
        """`handle` for a tick, which nearly all events are.  There must have been an item."""
        play = self.play
        assert play is not None
        moment = self._advance(moment)
        pings = [] if play.vs_due_ms is None else self.wake(moment)
        if not play.is_over:
            play.time(tick, moment)
        return pings + self._collect() if play.pings else pings

    @property
    def wake_at_ms(self) -> int | None:
        """When `wake` must be called next, on the suspend-proof clock; None: not before the next event."""
        return None if self.play is None else self.play.vs_due_ms

    def wake(self, moment: Moment) -> list[Ping]:
        """The pings of a timer that is due by `moment`; they carry the moment it fell due."""
        due_ms = self.wake_at_ms
        if self.play is None or due_ms is None or due_ms > moment.boot_ms:
            return []
        self.play.settle(moment.at(due_ms))
        return self._collect()

    def touch(self, moment: Moment) -> None:
        """The player was there at `moment`, whatever it did."""
        self._advance(moment)

    def hand_over(self) -> Session:
        """A session that goes on with the running play.  Here it is over, without a `gab`."""
        heir = copy(self)
        if self.running is not None:
            self.play = replace(self.running, is_over=True, vs_due_ms=None, pings=[])
        return heir

    def end(self, moment: Moment) -> list[Ping]:
        """The player is gone."""
        if self.play is None:
            return []
        moment = self._advance(moment)
        pings = self.wake(moment)
        self.play.end(moment)
        return pings + self._collect()

    @property
    def running(self) -> Play | None:
        """The play that is not over yet."""
        return self.play if self.play is not None and not self.play.is_over else None

    def final_ping(self) -> Ping | None:
        """What `end` would say of the play at the latest moment known."""
        if self.running is None or self.latest is None:
            return None
        return self.running.final_ping(self.latest)

    def _begin(self, item: events.PlaylistItem, moment: Moment) -> list[Ping]:
        """Rule 1.  The same key again on the running play is no new item, but another medium is."""
        if self.running is not None and item.play_key and _play_of(item) == _play_of(self.running.item):
            return []
        pings = self.end(moment)
        self.n_items = min(self.n_items + 1, MAX_ITEM_NUMBER)
        self.play = Play(self.embed_id, self._new_id(), self.n_items, item)
        self.play.announce("e", moment)
        return pings + self._collect()

    def _advance(self, moment: Moment) -> Moment:
        if self.latest is not None and moment.boot_ms < self.latest.boot_ms:
            moment = moment.at(self.latest.boot_ms)
        self.latest = moment
        return moment

    def _collect(self) -> list[Ping]:
        if self.play is None or not self.play.pings:
            return []
        pings, self.play.pings = self.play.pings, []
        return pings


def _play_of(item: events.PlaylistItem) -> tuple[str, str]:
    """What tells one play of a player from another, where it has given a key."""
    return item.play_key, item.media_id


def _name(event: events.PlayEvent) -> str:
    """As the player wrote it: the classes are called like the events."""
    name = type(event).__name__
    return name[0].lower() + name[1:]


def _change_rate(play: Play, event: events.PlaybackRateChanged, _moment: Moment) -> None:
    play.rate = event.rate


_HANDLERS: dict[type, Callable[..., None]] = {
    events.Time: Play.time,
    events.Seek: Play.seek,
    events.Seeked: lambda play, _event, moment: play.seeked(moment),
    events.Pause: lambda play, _event, moment: play.pause(moment),
    events.Play: lambda play, _event, moment: play.resume(moment),
    events.Complete: lambda play, _event, moment: play.complete(moment),
    events.Remove: lambda play, _event, moment: play.end(moment),
    events.AdImpression: lambda play, _event, moment: play.announce("i", moment),
    events.PlaybackRateChanged: _change_rate,
}
