"""What `play` shows: a film as lines to write, and when each is due."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence

from jwpingd.errors import OperatorError
from jwpingd.film import Ad, FilmEvent, Interlude, Jump, Pause, at_s, events, length_s

MAX_RATE = 2.0  # Faster is trick play, which does not count as watched (ping interface §5.4).
ACK_ID = "last"

_HELD_BACK_MAX_S = 590.0  # `at` is taken up to 10 min after the event; 10 s are left for writing.
_PROGRESS_S = 5.0  # Often enough to see that it goes on.


def lines(args: argparse.Namespace, rate: float) -> list[FilmEvent]:
    """All lines to write, with `at` from 0: the hello, then the film; the last asks for an answer."""
    film = events(
        args.media,
        args.title,
        args.duration,
        tick_s=args.tick,
        rate=rate,
        is_live=args.live,
        feed_id=args.feed,
        play_key=args.key,
        interludes=list(_interludes(args)),
    )
    film[-1] = {**film[-1], "id": ACK_ID}
    return [{"at": 0.0, **_hello(args)}, *film]


def _hello(args: argparse.Namespace) -> FilmEvent:
    hello: FilmEvent = {"event": "hello", "protocol": 1}
    if args.app:
        hello["app"] = {"id": args.app, "version": args.app_version}
    if args.user:
        hello["user"] = {"id": args.user}
    if args.consent:
        hello["consent"] = args.consent
    return hello


def _interludes(args: argparse.Namespace) -> Iterator[Interlude]:
    if args.ads:
        yield Ad(0.0)
        yield Ad(args.duration / 2)
    if args.pause:
        yield Pause(args.duration / 4)
    if args.seek:
        yield Jump(args.duration * 0.4, args.duration * 0.7)


def lines_that_fit(args: argparse.Namespace) -> list[FilmEvent]:
    """The film as asked for, or at double speed where only that fits into what may be held back."""
    most_s = min(_HELD_BACK_MAX_S, time.clock_gettime(time.CLOCK_BOOTTIME))
    film = lines(args, args.speed)
    if length_s(film) > most_s:
        film = lines(args, MAX_RATE)
    if length_s(film) > most_s:
        raise OperatorError(
            f"the film takes {length_s(film):.0f} s even at double speed, but events may be held back "
            f"for {most_s:.0f} s (10 min, or since the box started): choose a shorter --duration"
        )
    return film


def held_back(film: Sequence[FilmEvent]) -> Iterator[FilmEvent]:
    """The film's events at once, dated so that the last of them is now."""
    start_s = time.clock_gettime(time.CLOCK_BOOTTIME) - length_s(film)
    # Rounded down: an event of the next millisecond would lie in the future.
    return ({**event, "at": math.floor(max(0.0, start_s + at_s(event)) * 1000) / 1000} for event in film)


def in_real_time(film: Sequence[FilmEvent]) -> Iterator[FilmEvent]:
    """Each event when it is due, undated."""
    start_s = time.monotonic()
    for event in film:
        time.sleep(max(0.0, start_s + at_s(event) - time.monotonic()))
        yield {key: value for key, value in event.items() if key != "at"}


def told(film: Iterator[FilmEvent]) -> Iterator[FilmEvent]:
    """The same events; prints what happens, of the ticks one every few seconds."""
    start_s, told_s = time.monotonic(), 0.0
    for event in film:
        now_s = time.monotonic() - start_s
        if event["event"] != "time" or now_s >= told_s + _PROGRESS_S:
            told_s = now_s
            print(f"{now_s:7.1f} s  {event['event']} {event.get('position', '')}".rstrip(), flush=True)
        yield event
