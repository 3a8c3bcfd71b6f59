"""Generated playback: the events a player writes to the socket while it shows a film.

Used by the simulated player, the demo and tests.  Pure: each event is a plain dict of the socket
protocol, with `at` in seconds since the first of them.  Times are reckoned in whole milliseconds, so
that nothing drifts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

FilmEvent = dict[str, object]


class Ad(NamedTuple):
    """An ad of `length_s` that begins at `position_s` of the film; 0 is before its first frame."""

    position_s: float
    length_s: float = 5.0


class Pause(NamedTuple):
    """The film stands still for `length_s` at `position_s`."""

    position_s: float
    length_s: float = 3.0


class Jump(NamedTuple):
    """A seek at `position_s` to `to_s`, which takes the player `length_s`."""

    position_s: float
    to_s: float
    length_s: float = 0.4


Interlude = Ad | Pause | Jump


def events(
    media_id: str,
    title: str,
    duration_s: float,
    *,
    tick_s: float = 0.25,
    startup_s: float = 0.5,
    rate: float = 1.0,
    is_live: bool = False,
    feed_id: str = "",
    play_key: str = "",
    interludes: Sequence[Interlude] = (),
) -> list[FilmEvent]:
    """A film from `playlistItem` to `complete`, with a `time` tick every `tick_s` of the viewer's time.

    A live film is watched for `duration_s`, names no duration and ends with `remove`.  `rate` is
    content seconds per second.  Every interlude happens once, when the film first comes to its
    position; one at or beyond the end never does.  Raises ValueError for times that make no film.
    """
    if not (tick_s >= 0.001 and duration_s > 0 and rate > 0 and startup_s >= 0):
        raise ValueError("a film needs a duration, a rate above 0, and ticks at least 1 ms apart")
    item: FilmEvent = {"at": 0.0, "event": "playlistItem", "mediaid": media_id, "title": title}
    item |= {"feedid": feed_id} if feed_id else {}
    item |= {"play": play_key} if play_key else {}
    item |= {"live": True} if is_live else {}
    reel = _Reel(_ms(duration_s), max(1, _ms(tick_s)), rate, is_live=is_live)
    return [item, *reel.run(_ms(startup_s), sorted(interludes, key=lambda each: each.position_s))]


def length_s(film: Sequence[FilmEvent]) -> float:
    """How long a film takes to play, from its first event to its last."""
    return at_s(film[-1]) - at_s(film[0]) if film else 0.0


def at_s(event: FilmEvent) -> float:
    """When an event of a film happens, seconds since its first."""
    at = event["at"]
    if not isinstance(at, int | float):
        raise TypeError(f"'at' is {at!r}")
    return float(at)


class _Reel:
    """Runs a film once.  `_now_ms` is the viewer's time, `_position_ms` the film's."""

    def __init__(self, duration_ms: int, tick_ms: int, rate: float, *, is_live: bool) -> None:
        self._duration_ms = duration_ms
        self._tick_ms = tick_ms
        self._rate = rate
        self._is_live = is_live
        self._now_ms = 0
        self._position_ms = 0

    def run(self, startup_ms: int, interludes: Sequence[Interlude]) -> Iterator[FilmEvent]:
        waiting = list(interludes)
        if self._rate != 1:
            yield self._event("playbackRateChanged", playbackRate=self._rate)
        self._now_ms += startup_ms
        while self._position_ms < self._duration_ms:
            if waiting and _ms(waiting[0].position_s) <= self._position_ms:
                yield from self._interlude(waiting.pop(0))
                continue
            yield self._tick()
            self._advance()
        self._position_ms = min(self._position_ms, self._duration_ms)
        yield self._tick()
        yield self._event("remove" if self._is_live else "complete")

    def _advance(self) -> None:
        """On by a tick, or by what is left of the film."""
        left_ms = round((self._duration_ms - self._position_ms) / self._rate)
        step_ms = max(1, min(self._tick_ms, left_ms))
        self._now_ms += step_ms
        self._position_ms += max(1, round(step_ms * self._rate))

    def _tick(self) -> FilmEvent:
        if self._is_live:
            return self._event("time", position=_s(self._position_ms))
        return self._event("time", position=_s(self._position_ms), duration=_s(self._duration_ms))

    def _interlude(self, interlude: Interlude) -> Iterator[FilmEvent]:
        if isinstance(interlude, Ad):
            yield self._event("adImpression")
            self._now_ms += _ms(interlude.length_s)
        elif isinstance(interlude, Pause):
            yield self._event("pause")
            self._now_ms += _ms(interlude.length_s)
            yield self._event("play")
        else:
            yield self._event("seek", position=_s(self._position_ms), offset=_s(_ms(interlude.to_s)))
            self._now_ms += _ms(interlude.length_s)
            self._position_ms = min(_ms(interlude.to_s), self._duration_ms)
            yield self._event("seeked")

    def _event(self, name: str, **values: object) -> FilmEvent:
        return {"at": _s(self._now_ms), "event": name, **values}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _s(milliseconds: int) -> float:
    return milliseconds / 1000
