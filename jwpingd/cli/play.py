"""`jwpingd play`: a simulated player for a real socket."""

from __future__ import annotations

import argparse
import json
import math
import re
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jwpingd.config import paths
from jwpingd.errors import OperatorError
from jwpingd.film import Ad, FilmEvent, Interlude, Jump, Pause, at_s, events, length_s
from jwpingd.plural import counted

EXAMPLE = "jwpingd play --duration 60 --ads --seek"

_SERVICE_SOCKET = Path("/run/jwpingd/player.sock")
_HELD_BACK_MAX_S = 590.0  # `at` is taken up to 10 min after the event; 10 s are left for writing.
_MAX_RATE = 2.0  # Faster is trick play, which does not count as watched (ping interface §5.4).
_MAX_DURATION_S = 86_400.0  # A day: longer is a slip of the keyboard.
_PROGRESS_S = 5.0  # Often enough to see that it goes on.
_ACK_ID = "last"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The film, how it is watched, by whom, and the socket."""
    _add_film(parser.add_argument_group("the film"))
    _add_viewer(parser.add_argument_group("the viewer"))
    parser.add_argument("--socket", type=Path, metavar="PATH", help="default: where the daemon makes it")
    parser.add_argument(
        "--held-back", action="store_true", help="write all at once, as events that happened up to now"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=10.0, metavar="SECONDS", help="for an answer (default: 10)"
    )
    parser.add_argument("--json", action="store_true", help="only what was done, as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Plays the film; 0 once the daemon has acknowledged its last event and refused none."""
    film = _film_that_fits(args) if args.held_back else _film(args, args.speed)
    due = _held_back(film) if args.held_back else _in_real_time(film)
    path = args.socket or default_socket()
    with _connect(path, args.timeout) as connection:
        if not args.json:
            print(f"playing {args.title!r} ({args.media}), {length_s(film):.1f} s, to {path}", flush=True)
            due = due if args.held_back else _told(due)
        n_written = _write(connection, due)
        written_s = time.monotonic()
        answer = _wait_for_ack(connection, args.timeout)
    return _conclude(args, n_written, round((time.monotonic() - written_s) * 1000), answer)


class _Answer(NamedTuple):
    """What the daemon said up to the answer to the last event."""

    is_acknowledged: bool
    errors: tuple[str, ...]


def _conclude(args: argparse.Namespace, n_written: int, ack_ms: int, answer: _Answer) -> int:
    if args.json:
        print(
            json.dumps(
                {
                    "written": n_written,
                    "acknowledged": answer.is_acknowledged,
                    "ack_ms": ack_ms,
                    "errors": list(answer.errors),
                }
            )
        )
    else:
        for error in answer.errors:
            print(f"the daemon refused: {error}")
        verb = "acknowledged" if answer.is_acknowledged else "refused"
        written = counted(n_written, "event")
        print(f"wrote {written}; the daemon {verb} the last {ack_ms} ms after it was written")
    return 0 if answer.is_acknowledged and not answer.errors else 1


# --- the film -------------------------------------------------------------------------------


def _film(args: argparse.Namespace, rate: float) -> list[FilmEvent]:
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
    film[-1] = {**film[-1], "id": _ACK_ID}
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


def _film_that_fits(args: argparse.Namespace) -> list[FilmEvent]:
    """The film as asked for, or at double speed where only that fits into what may be held back."""
    most_s = min(_HELD_BACK_MAX_S, time.clock_gettime(time.CLOCK_BOOTTIME))
    film = _film(args, args.speed)
    if length_s(film) > most_s:
        film = _film(args, _MAX_RATE)
    if length_s(film) > most_s:
        raise OperatorError(
            f"the film takes {length_s(film):.0f} s even at double speed, but events may be held back "
            f"for {most_s:.0f} s (10 min, or since the box started): choose a shorter --duration"
        )
    return film


# --- writing and waiting --------------------------------------------------------------------


def _held_back(film: Sequence[FilmEvent]) -> Iterator[FilmEvent]:
    """The film's events at once, dated so that the last of them is now."""
    start_s = time.clock_gettime(time.CLOCK_BOOTTIME) - length_s(film)
    # Rounded down: an event of the next millisecond would lie in the future.
    return ({**event, "at": math.floor(max(0.0, start_s + at_s(event)) * 1000) / 1000} for event in film)


def _in_real_time(film: Sequence[FilmEvent]) -> Iterator[FilmEvent]:
    """Each event when it is due, undated."""
    start_s = time.monotonic()
    for event in film:
        time.sleep(max(0.0, start_s + at_s(event) - time.monotonic()))
        yield {key: value for key, value in event.items() if key != "at"}


def _told(film: Iterator[FilmEvent]) -> Iterator[FilmEvent]:
    """The same events; prints what happens, of the ticks one every few seconds."""
    start_s, told_s = time.monotonic(), 0.0
    for event in film:
        now_s = time.monotonic() - start_s
        if event["event"] != "time" or now_s >= told_s + _PROGRESS_S:
            told_s = now_s
            print(f"{now_s:7.1f} s  {event['event']} {event.get('position', '')}".rstrip(), flush=True)
        yield event


def _write(connection: socket.socket, due: Iterator[FilmEvent]) -> int:
    """Writes each event as one line; returns how many."""
    n_written = 0
    for event in due:
        _send(connection, json.dumps(event).encode("ascii") + b"\n", n_written)
        n_written += 1
    return n_written


def _send(connection: socket.socket, line: bytes, n_written: int) -> None:
    try:
        connection.sendall(line)
    except TimeoutError as exc:
        raise OperatorError(
            f"the daemon stopped reading after {counted(n_written, 'event')}; see its log"
        ) from exc
    except OSError as exc:
        raise OperatorError(
            f"the daemon closed the connection after {counted(n_written, 'event')}"
            f"{_last_words(connection)}; see its log"
        ) from exc


def _wait_for_ack(connection: socket.socket, timeout_s: float) -> _Answer:
    """Reads replies up to the answer to the last event."""
    errors: list[str] = []
    try:
        with connection.makefile("rb") as replies:
            for reply in map(_reply, replies):
                if "error" in reply:
                    errors.append(_in_words(reply))
                if _ACK_ID in (reply.get("ack"), reply.get("id")):
                    return _Answer("ack" in reply, tuple(errors))
    except TimeoutError as exc:
        raise OperatorError(
            f"no acknowledgement within {timeout_s:g} s: the daemon withholds it while it cannot write "
            "to its store; see `jwpingd status`"
        ) from exc
    except ConnectionError:
        pass  # Closed with lines unread: as good as closed.
    except ValueError as exc:
        raise OperatorError(f"this is no player socket of jwpingd: {exc}") from exc
    told = f": {errors[-1]}" if errors else "; see its log"
    raise OperatorError(f"the daemon closed the connection before it acknowledged the last event{told}")


def _reply(line: bytes) -> dict[str, object]:
    """One line of the daemon.  Raises ValueError for anything but a JSON object."""
    reply = json.loads(line)
    if not isinstance(reply, dict):
        raise ValueError(f"it answered {line[:80]!r}")
    return reply


def _in_words(reply: dict[str, object]) -> str:
    return f"{reply['error']}: {reply.get('message', '')} (line {reply.get('line', '?')})"


def _last_words(connection: socket.socket) -> str:
    """Why the daemon hung up, if it said so: `too-many-connections`, `not-allowed`."""
    try:
        line = connection.recv(4096).partition(b"\n")[0]
        return f": {_in_words(_reply(line))}"
    except (OSError, ValueError, KeyError):
        return ""


# --- the socket -----------------------------------------------------------------------------


def default_socket() -> Path:
    """Where a daemon of this user makes it, else the service's; the former if there is neither."""
    own = paths.locate().runtime_dir / "player.sock"
    return _SERVICE_SOCKET if _SERVICE_SOCKET.exists() and not own.exists() else own


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except OSError as exc:
        connection.close()
        raise OperatorError(f"cannot connect to {path}: {exc.strerror or exc}; {_way_out(exc)}") from exc
    return connection


def _way_out(exc: OSError) -> str:
    if isinstance(exc, PermissionError):
        return "the daemon's [socket] group and mode decide who may"
    if isinstance(exc, FileNotFoundError | ConnectionRefusedError):
        return "start the daemon (`jwpingd run`, or its systemd service), or name its socket with --socket"
    return "name the daemon's socket with --socket"


# --- arguments ------------------------------------------------------------------------------


def _add_film(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--media", type=_media_id, default="9u6OHIO4", metavar="ID", help="its media id")
    group.add_argument("--title", default="Elephants Dream", help="its title")
    group.add_argument("--feed", default="", metavar="ID", help="the feed it came from")
    group.add_argument("--duration", type=_seconds, default=20.0, metavar="S", help="seconds (20)")
    group.add_argument("--speed", type=_rate, default=1.0, metavar="X", help="playback rate, up to 2 (1)")
    group.add_argument("--tick", type=_seconds, default=0.25, metavar="S", help="between ticks (0.25)")
    group.add_argument("--live", action="store_true", help="no duration; ends when it is closed")
    group.add_argument("--seek", action="store_true", help="jump from 40 %% of it to 70 %%")
    group.add_argument("--pause", action="store_true", help="pause for 3 s at a quarter")
    group.add_argument("--ads", action="store_true", help="one ad before it, one at or after its middle")


def _add_viewer(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--key", default="", help="the player's key for this play: it can be resumed")
    group.add_argument("--app", default="", metavar="ID", help="app id (default: what the daemon detects)")
    group.add_argument("--app-version", default="0", metavar="V", help="its version, with --app (default: 0)")
    group.add_argument("--user", default="", metavar="ID", help="login id of the user")
    group.add_argument("--consent", choices=("full", "anonymous", "none"), help="default: the daemon's")


def _media_id(text: str) -> str:
    if not re.fullmatch("[0-9A-Za-z]{8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a media id: 8 letters and digits")
    return text


def _seconds(text: str) -> float:
    seconds = _number(text)
    if not 0.001 <= seconds <= _MAX_DURATION_S:
        raise argparse.ArgumentTypeError(f"{text!r}: from 0.001 to {_MAX_DURATION_S:.0f} seconds")
    return seconds


def _rate(text: str) -> float:
    rate = _number(text)
    if not 0.1 <= rate <= _MAX_RATE:
        raise argparse.ArgumentTypeError(f"{text!r}: from 0.1 to {_MAX_RATE:g}; faster is not watching")
    return rate


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
