"""`jwpingd attach`: tells the daemon what a player shows that knows nothing of it."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jwpingd.attach import Forwarding, Ipc, MediaRule
from jwpingd.cli.player_socket import default_socket
from jwpingd.client import Client
from jwpingd.errors import UsageError

EXAMPLE = "jwpingd attach mpv --ipc /tmp/mpv.sock --media-id '/films/([0-9A-Za-z]{8})_'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which player, which daemon, and what is played."""
    parser.add_argument("player", choices=("mpv",), help="the kind of player")
    parser.add_argument(
        "--ipc", required=True, metavar="SOCKET", help="where it listens: mpv's --input-ipc-server"
    )
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="the daemon's (default: where it makes it)"
    )
    parser.add_argument("--once", action="store_true", help="end with the player; else wait for the next")
    parser.add_argument(
        "--media-id",
        metavar="ID|REGEX",
        default="",
        help="the media id of all that is played, or a regular expression whose first group is found in "
        "its path (default: from the name)",
    )
    parser.add_argument("--title", default="", help="the title of all that is played (default: the player's)")
    parser.add_argument("--app", default="", metavar="ID", help="app id (default: what the daemon finds out)")
    parser.add_argument("--app-version", default="0", metavar="V", help="its version, with --app (0)")


def run(args: argparse.Namespace) -> int:
    """Until SIGINT or SIGTERM, or the end of the player with --once."""
    try:
        rule = MediaRule(args.media_id, args.title)
    except ValueError as exc:
        way_out = "give 8 letters and digits, or such as '/([0-9A-Za-z]{8})_'"
        raise UsageError(f"--media-id {args.media_id!r}: {exc}; {way_out}") from exc
    hello: dict[str, Any] = {"app": {"id": args.app, "version": args.app_version}} if args.app else {}
    client = Client(str(args.socket or default_socket()), **hello)
    with _stop_signals() as stop_fd:
        Forwarding(Ipc(args.ipc), client, rule, _tell).run(stop_fd, once=args.once)
    return 0


@contextmanager
def _stop_signals() -> Iterator[int]:
    """A descriptor that can be read once SIGINT or SIGTERM has come."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    previous = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(previous)
        os.close(readable)
        os.close(writable)


def _tell(words: str) -> None:
    print(words, flush=True)
