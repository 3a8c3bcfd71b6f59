"""`jwpingd status`: what the running daemon says of itself."""

from __future__ import annotations

import argparse
import json
from typing import Any

from jwpingd import control
from jwpingd.config import control_socket, locate

EXAMPLE = "jwpingd status --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only the form of the answer."""
    parser.add_argument("--json", action="store_true", help="the whole answer as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Ask over the control socket; status 1 when no daemon answers."""
    answer = control.ask(control_socket(locate()), "status")
    print(json.dumps(answer) if args.json else _for_people(answer))
    return 0


def _for_people(answer: dict[str, Any]) -> str:
    store, clock, uplink = answer["store"], answer["clock"], answer["uplink"]
    dropped = sum(answer["dropped"].values())
    rows = (
        ("state", answer["state"] + (f": {store['reason']}" if store["reason"] else "")),
        ("pings", f"{answer['delivered']} delivered, {answer['waiting']} waiting, {dropped} dropped"),
        ("set aside", str(answer["set_aside"])),
        ("clock", f"{clock['state']}: {clock['reason']}"),
        ("uplink", "online" if uplink["is_online"] else f"offline: {uplink['last_error']}"),
        ("clients", str(len(answer["clients"]))),
    )
    return "\n".join(f"{name:<10} {value}" for name, value in rows)
