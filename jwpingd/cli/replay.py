"""`jwpingd replay`: event logs → the pings they make, in virtual time; nothing is sent."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

from jwpingd.errors import OperatorError
from jwpingd.replay import Mistake, Replayed, lines_of, plays_in, replay

EXAMPLE = "jwpingd replay play.jsonl --start-ms 1700000000000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE… and the wall clock at time 0."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="JSON lines, the socket's events with `at` in seconds; - is stdin",
    )
    parser.add_argument(
        "--start-ms", type=int, metavar="N", help="the wall clock at time 0, Unix ms; pings then show `sa`"
    )


def run(args: argparse.Namespace) -> int:
    """One line of JSON a ping; lines that a daemon would refuse are told on stderr, and the status is 1."""
    n_mistakes = 0
    for file in args.files:
        for name, lines in plays_in(_lines(file)):
            where = ({"file": file} if len(args.files) > 1 else {}) | ({"play": name} if name else {})
            for made in replay(lines):
                if isinstance(made, Mistake):
                    n_mistakes += 1
                    print(f"jwpingd: {file}:{made.line}: {made.message}", file=sys.stderr)
                else:
                    print(json.dumps(where | _shown(made, args.start_ms)))
    return 1 if n_mistakes else 0


def _lines(file: str) -> Iterator[bytes]:
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as stream:
            yield from lines_of(stream)
    except OSError as exc:
        raise OperatorError(f"cannot read {file}: {exc.strerror}") from exc


def _shown(made: Replayed, start_ms: int | None) -> dict[str, Any]:
    params = dict(made.parameters)
    if start_ms is not None:
        params["sa"] = str(start_ms + made.at_ms)
    return {"at": made.at_ms / 1000, "bucket": made.bucket, "params": params}
