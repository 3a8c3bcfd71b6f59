"""`jwpingd status`: what the running daemon says of itself."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from typing import Any

from jwpingd import control
from jwpingd.cli.screens import prometheus, status
from jwpingd.config import control_socket, locate

EXAMPLE = "jwpingd status --watch"

_WATCH_S = 2.0  # Often enough to see a play move, seldom enough to cost a box nothing.
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
        type=float,
        nargs="?",
        const=_WATCH_S,
        metavar="SECONDS",
        help="again and again (every 2 s)",
    )


def run(args: argparse.Namespace) -> int:
    """Ask over the control socket; status 1 when no daemon answers."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            text = _form(args, control.ask(control_socket(locate()), "status"))
            if args.watch is None:
                print(text)
                return 0
            is_screen = sys.stdout.isatty() and not args.json
            print(f"{_CLEAR if is_screen else ''}{text}", flush=True)
            time.sleep(max(args.watch, 0.1))
    return 0


def _form(args: argparse.Namespace, answer: dict[str, Any]) -> str:
    if args.json:
        return json.dumps(answer)
    if args.prometheus:
        return prometheus.metrics(answer).rstrip("\n")
    return status.screen(answer, is_coloured=sys.stdout.isatty())
