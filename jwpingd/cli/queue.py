"""`jwpingd queue`: what waits, what was set aside, and what can be done about it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jwpingd import control, ping
from jwpingd.config import control_socket, locate
from jwpingd.errors import OperatorError, UsageError
from jwpingd.plural import counted

EXAMPLE = "jwpingd queue list --set-aside"

_PAGE = 500  # pings asked for at a time; the daemon gives no more at once
_Ping = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which pings."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    show = actions.add_parser("list", help="the waiting pings, oldest first")
    show.add_argument("--limit", type=_whole, default=50, metavar="N", help="at most so many (default: 50)")
    show.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_set_aside(show)
    export = actions.add_parser("export", help="every waiting ping as one JSON object a line")
    export.add_argument("file", type=Path, metavar="FILE", help="a new file, or - for standard output")
    _add_set_aside(export)
    actions.add_parser("flush", help="try now, and do not wait for the next try")
    drop = actions.add_parser("drop", help="take pings out for good; they count as dropped by the operator")
    _add_choice(drop, "all that waits; with --set-aside all that was set aside")
    _add_set_aside(drop)
    _add_choice(actions.add_parser("retry", help="let set-aside pings wait again"), "all that were set aside")


def run(args: argparse.Namespace) -> int:
    """Ask the daemon; status 1 when none answers."""
    _ACTIONS[args.action](args, control_socket(locate()))
    return 0


def _list(args: argparse.Namespace, path: Path) -> None:
    shown = 0
    for row in _pings(path, is_set_aside=args.set_aside):
        if shown == args.limit:
            print("… and more: a higher --limit shows them, `jwpingd queue export -` all", file=sys.stderr)
            return
        print(json.dumps(row) if args.json else _line(row))
        shown += 1
    if not shown and not args.json:
        print("nothing was set aside" if args.set_aside else "nothing waits")


def _export(args: argparse.Namespace, path: Path) -> None:
    rows = _pings(path, is_set_aside=args.set_aside)
    if str(args.file) == "-":
        _write(rows, sys.stdout)
        return
    try:
        with args.file.open("x", encoding="utf-8") as file:
            args.file.chmod(0o600)  # It tells what was watched.
            n_written = _write(rows, file)
    except FileExistsError as exc:
        raise OperatorError(f"{args.file} is there already; choose another file") from exc
    except OSError as exc:
        raise OperatorError(f"cannot write {args.file}: {exc.strerror}") from exc
    many = f"pings are in {args.file}; they wait in the queue as before"
    print(counted(n_written, f"ping is in {args.file}; it waits in the queue as before", many))


def _write(rows: Iterator[_Ping], file: Any) -> int:
    n_written = 0
    for row in rows:
        print(json.dumps(row), file=file)
        n_written += 1
    return n_written


def _flush(_args: argparse.Namespace, path: Path) -> None:
    waiting = control.ask(path, "queue-flush")["waiting"]
    waits = counted(waiting, "ping waits", "pings wait")
    print(f"{waits}; the next try comes within 5 s, unless the collector asked for patience")


def _drop(args: argparse.Namespace, path: Path) -> None:
    chosen = _chosen(args)
    n_dropped = control.ask(path, "queue-drop", ids=chosen, set_aside=args.set_aside)["dropped"]
    print(f"{counted(n_dropped, 'ping was', 'pings were')} dropped{_rest(chosen, n_dropped)}")


def _retry(args: argparse.Namespace, path: Path) -> None:
    chosen = _chosen(args)
    n_retried = control.ask(path, "queue-retry", ids=chosen)["retried"]
    print(f"{counted(n_retried, 'ping waits', 'pings wait')} again{_rest(chosen, n_retried)}")


def _rest(chosen: list[int] | None, n_found: int) -> str:
    """What became of ids that name no such ping: mistyped, or delivered meanwhile."""
    n_missing = 0 if chosen is None else len(set(chosen)) - n_found
    return f"; {counted(n_missing, 'id names', 'ids name')} none (any more)" if n_missing > 0 else ""


_ACTIONS = {"list": _list, "export": _export, "flush": _flush, "drop": _drop, "retry": _retry}


def _pings(path: Path, *, is_set_aside: bool) -> Iterator[_Ping]:
    """All of them, asked for a page at a time."""
    if is_set_aside:
        yield from control.ask(path, "queue-list", set_aside=True)["pings"]
        return
    after_id = 0
    while page := control.ask(path, "queue-list", after_id=after_id, limit=_PAGE)["pings"]:
        yield from page
        after_id = page[-1]["id"]


def _line(row: _Ping) -> str:
    _bucket, values = ping.read(row["target"])
    when = "time not known yet  " if row["sa_ms"] is None else _utc(row["sa_ms"])
    reason = f"  {row['reason']}" if "reason" in row else ""
    return (
        f"{row['id']:>8}  {when}  {row['kind']:<3}  {values.get('id', ''):<8}  "
        f"play {row['play']}  {row['watched_s']} s{reason}"
    )


def _utc(wall_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_ms / 1000))


def _chosen(args: argparse.Namespace) -> list[int] | None:
    if bool(args.ids) == args.all:
        raise UsageError("name the pings by their ids, as `jwpingd queue list` shows them, or say --all")
    return None if args.all else list(args.ids)


def _add_choice(parser: argparse.ArgumentParser, everything: str) -> None:
    parser.add_argument("ids", type=_whole, nargs="*", metavar="ID", help="as `list` shows them")
    parser.add_argument("--all", action="store_true", help=everything)


def _add_set_aside(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set-aside", action="store_true", help="those that the collector refused for good, not the others"
    )


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)
