"""`jwpingd play`: a simulated player for a real socket."""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path

from jwpingd.cli import player_socket, viewing
from jwpingd.film import length_s
from jwpingd.plural import counted

EXAMPLE = "jwpingd play --duration 60 --ads --seek"

_MAX_DURATION_S = 86_400.0  # A day: longer is a slip of the keyboard.


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
    film = viewing.lines_that_fit(args) if args.held_back else viewing.lines(args, args.speed)
    due = viewing.held_back(film) if args.held_back else viewing.in_real_time(film)
    path = args.socket or player_socket.default_socket()
    with player_socket.connect(path, args.timeout) as connection:
        if not args.json:
            print(f"playing {args.title!r} ({args.media}), {length_s(film):.1f} s, to {path}", flush=True)
            due = due if args.held_back else viewing.told(due)
        n_written = player_socket.write(connection, due)
        written_s = time.monotonic()
        answer = player_socket.wait_for_ack(connection, viewing.ACK_ID, args.timeout)
    return _conclude(args, n_written, round((time.monotonic() - written_s) * 1000), answer)


def _conclude(args: argparse.Namespace, n_written: int, ack_ms: int, answer: player_socket.Answer) -> int:
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
    if not 0.1 <= rate <= viewing.MAX_RATE:
        raise argparse.ArgumentTypeError(
            f"{text!r}: from 0.1 to {viewing.MAX_RATE:g}; faster is not watching"
        )
    return rate


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
