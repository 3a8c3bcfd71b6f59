"""`jwpingd identity`: the ids of this box, and the consent that holds for everybody on it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from jwpingd import control
from jwpingd.cli import common, identity_files
from jwpingd.config import Config, Paths, control_socket
from jwpingd.errors import ConfigError, NotRunning, UsageError
from jwpingd.events import Consent
from jwpingd.plural import counted

EXAMPLE = "jwpingd identity opt-out"

_ACTIONS = {
    "show": "what this box would tell",
    "reset": "new install and advertising ids, for plays to come",
    "opt-out": "tell nothing: no ping is made, and what waits is purged (privacy.on_opt_out)",
    "opt-in": "end that; what players and the configuration say holds again",
}
_ANSWER_TIMEOUT_S = 10.0  # the daemon waits 2 s for a purge, behind whatever flash is busy with


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do."""
    actions = parser.add_argument_group(
        "actions", "\n".join(f"{action:<8} {what}" for action, what in _ACTIONS.items())
    )
    actions.add_argument("action", choices=_ACTIONS, metavar="ACTION")
    parser.add_argument(
        "--anonymous", action="store_true", help="with opt-out: go on counting, but without any id"
    )
    parser.add_argument("--json", action="store_true", help="the answer as one JSON object")
    common.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Status 1 where it could not be done, or where what was purged is still on flash."""
    if args.anonymous and args.action != "opt-out":
        raise UsageError("--anonymous goes with opt-out only")
    paths = common.paths(args)
    request = _request(args)
    try:
        answer = control.ask(control_socket(paths), "identity", _ANSWER_TIMEOUT_S, **request)
    except NotRunning:
        answer = _without_daemon(args, request, paths)
    print(json.dumps(answer) if args.json else _for_people(answer))
    if answer["purge_waits_for"]:
        print(f"jwpingd: {answer['purge_waits_for']}", file=sys.stderr)
    return 1 if answer["purge_waits_for"] else 0


def _request(args: argparse.Namespace) -> dict[str, str]:
    if args.action == "opt-in":
        return {"action": "choose", "level": Consent.FULL.value}
    if args.action == "opt-out":
        level = Consent.ANONYMOUS if args.anonymous else Consent.NONE
        return {"action": "choose", "level": level.value}
    return {"action": args.action}


def _without_daemon(args: argparse.Namespace, request: dict[str, str], paths: Paths) -> dict[str, Any]:
    config: Config | None
    try:
        config = common.load(args).config
    except ConfigError:
        config = None  # A mistake in it must keep nobody from opting out.
    if request["action"] == "choose":
        return identity_files.choose(paths.state_dir, Consent(request["level"]), config)
    if request["action"] == "reset":
        return identity_files.reset(paths.state_dir)
    return identity_files.show(paths.state_dir)


def _for_people(answer: dict[str, Any]) -> str:
    rows = [
        ("consent", _consent(answer)),
        ("install id", answer["install_id"] or "none"),
        ("advertising id", answer["advertising_id"] or "none of its own"),
    ]
    if answer["is_running"]:
        rows += [
            ("users", f"named on {answer['n_users']} of {counted(answer['n_connections'], 'connection')}"),
            ("pings", f"{answer['n_waiting']} waiting, {answer['n_purged']} purged so far"),
        ]
    else:
        rows.append(("daemon", "not running; it makes the ids that are missing when it starts"))
    return "\n".join(f"{name:<15} {value}" for name, value in rows)


def _consent(answer: dict[str, Any]) -> str:
    if answer["fault"]:
        return f"unknown, so nothing is told: {answer['fault']}; choose again with opt-in or opt-out"
    return {
        "full": "full: what players and the configuration say holds",
        "anonymous": "anonymous: pings carry no ids",
        "none": "none: no ping is made",
    }[answer["consent"]]
