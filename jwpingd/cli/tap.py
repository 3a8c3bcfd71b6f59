"""`jwpingd tap`: what players write and what is made of it, as it happens."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from jwpingd import control, ping
from jwpingd.config import control_socket, locate
from jwpingd.errors import OperatorError
from jwpingd.plural import counted

EXAMPLE = "jwpingd tap --record evening.jsonl"

_COLOURS = {"event": "36", "ping": "32", "refused": "31", "missed": "33"}
"""Kind of record → colour of a terminal: what comes in, what goes out, what went wrong, what was not seen."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with what passes."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="keep the events as a log for `jwpingd replay`"
    )
    parser.add_argument("--count", type=_count, metavar="N", help="end after so many records")


def run(args: argparse.Namespace) -> int:
    """Until the daemon stops, `--count` is reached, or Ctrl-C."""
    records = control.follow(control_socket(locate()), "tap")
    show = _as_json if args.json else _Screen(sys.stdout.isatty()).line
    with _log(args.record) as log, contextlib.suppress(KeyboardInterrupt):
        print("watching; stop with Ctrl-C", file=sys.stderr)
        for idx, record in enumerate(records, start=1):
            if log is not None and record["kind"] == "event":
                print(json.dumps(record["line"]), file=log, flush=True)
            print(show(record), flush=True)
            if idx == args.count:
                break
    return 0


@contextlib.contextmanager
def _log(path: Path | None) -> Iterator[IO[str] | None]:
    """The log, for nobody else's eyes: it tells what was watched."""
    if path is None:
        yield None
        return
    try:
        with path.open("x", encoding="utf-8") as log:
            path.chmod(0o600)
            yield log
    except FileExistsError as exc:
        raise OperatorError(f"{path} is there already; choose another file for --record") from exc
    except OSError as exc:
        raise OperatorError(f"cannot write {path}: {exc.strerror}") from exc


def _as_json(record: Mapping[str, Any]) -> str:
    return json.dumps(record)


class _Screen:
    """One line a record, for people."""

    def __init__(self, is_coloured: bool) -> None:
        self._is_coloured = is_coloured

    def line(self, record: Mapping[str, Any]) -> str:
        kind = record["kind"]
        text = _FORMS[kind](record)
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self._is_coloured else text


def _event(record: Mapping[str, Any]) -> str:
    line = dict(record["line"])
    name, at, player = line.pop("event"), line.pop("at", None), line.pop("player", "")
    who = player if isinstance(player, str) and player else "-"
    when = "" if at is None else f"{at:.3f}"
    details = " ".join(f"{key}={json.dumps(value)}" for key, value in line.items())
    return f"in   {when:>12} uid {record['uid']} {who:<12} {name} {details}".rstrip()


def _ping(record: Mapping[str, Any]) -> str:
    bucket, values = ping.read(record["target"])
    shown = {key: values[key] for key in ("id", "pw", "ti", "vd", "q", "pss") if key in values}
    details = " ".join(f"{key}={value}" for key, value in shown.items())
    when = f"{record['at_ms'] / 1000:.3f}"
    time = "" if record["sa_ms"] is not None else " (no time yet)"
    return f"out  {when:>12} {bucket} {values.get('emi', ''):<12} {values.get('e', ''):<3} {details}{time}"


def _refused(record: Mapping[str, Any]) -> str:
    return f"in   {'':>12} uid {record['uid']} line {record['line']} refused: {record['error']}"


def _missed(record: Mapping[str, Any]) -> str:
    records = counted(record["n"], "record was", "records were")
    return f"     {'':>12} {records} not seen: this came faster than it was read"


_FORMS = {"event": _event, "ping": _ping, "refused": _refused, "missed": _missed}


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 18 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of records from 1 on")
    return int(text)
