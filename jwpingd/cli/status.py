"""`jwpingd status`: what the running daemon says of itself."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from jwpingd import control
from jwpingd.cli.screens import prometheus, status
from jwpingd.config import control_socket, locate
from jwpingd.errors import OperatorError

EXAMPLE = "jwpingd status --watch"

_WATCH_S = 2.0  # Often enough to see a play move, seldom enough to cost a box nothing.
_MIN_WATCH_S, _MAX_WATCH_S = 0.1, 86_400.0
_CLEAR = "\x1b[H\x1b[2J"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only the form of the answer."""
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="the whole answer as one JSON object")
    forms.add_argument(
        "--prometheus", action="store_true", help="as metrics, for node_exporter's textfile collector"
    )
    parser.add_argument(
        "--watch",
        type=_interval,
        nargs="?",
        const=_WATCH_S,
        metavar="SECONDS",
        help="again and again (every 2 s)",
    )


def run(args: argparse.Namespace) -> int:
    """Ask over the control socket; status 1 when no daemon answers."""
    answer = _ask()
    if args.watch is None:
        print(_form(args, answer))
        return 0
    with contextlib.suppress(KeyboardInterrupt):
        for text in _watched(args, answer):
            is_screen = sys.stdout.isatty() and not args.json
            print(f"{_CLEAR if is_screen else ''}{text}", flush=True)
    return 0


def _ask() -> dict[str, Any]:
    return control.ask(control_socket(locate()), "status")


def _watched(args: argparse.Namespace, answer: dict[str, Any]) -> Iterator[str]:
    """Answer after answer; a daemon that restarts is waited for, and said to be away once."""
    is_away = False
    while True:
        if not is_away:
            yield _form(args, answer)
        time.sleep(args.watch)
        try:
            answer, is_away = _ask(), False
        except OperatorError as exc:
            if not is_away:
                print(f"jwpingd: {exc}; waiting for it", file=sys.stderr, flush=True)
            is_away = True


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _MIN_WATCH_S <= seconds <= _MAX_WATCH_S:
        allowed = f"seconds from {_MIN_WATCH_S:g} to {_MAX_WATCH_S:.0f}"
        raise argparse.ArgumentTypeError(f"{text!r}: must be {allowed}")
    return seconds


def _form(args: argparse.Namespace, answer: dict[str, Any]) -> str:
    if args.json:
        return json.dumps(answer)
    if args.prometheus:
        return prometheus.metrics(answer).rstrip("\n")
    return status.screen(answer, is_coloured=sys.stdout.isatty())
