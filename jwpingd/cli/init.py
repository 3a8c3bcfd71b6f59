"""`jwpingd init`: a commented configuration to start from.  Asks only for the analytics id."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from jwpingd import config
from jwpingd.errors import ConfigError, OperatorError, UsageError

EXAMPLE = "jwpingd init --analytics-id a17e8PTFFffxLgpVuA4vVw"

_KEY = "analytics_id"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The id, and where the file goes."""
    parser.add_argument(
        "--analytics-id", metavar="ID", help="of the JW property; asked for on a terminal if left out"
    )
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="a new file, or - to print it (default: where `run` looks)"
    )


def run(args: argparse.Namespace) -> int:
    """Writes one file, which must not be there yet, and which `jwpingd check` passes."""
    place = args.file or _usual_place()
    if str(place) != "-" and os.path.lexists(place):
        raise OperatorError(f"{place} is there already; edit it, or name another place with --file")
    text = config.default_toml(_analytics_id(args.analytics_id))
    if str(place) == "-":
        print(text, end="")
        return 0
    _write(place, text)
    print(f"wrote {place}; look it over, then: jwpingd check --config {place}")
    return 0


def _usual_place() -> Path:
    """The first of the places where `run` looks that has no pattern in it."""
    return config.locate().looked_in[0]


def _analytics_id(given: str | None) -> str:
    """The id, checked.  Raises ConfigError for one that cannot be."""
    if given is not None:
        return _checked(given)
    if not sys.stdin.isatty():
        raise UsageError("no analytics id: give it with --analytics-id, or run this on a terminal")
    while True:
        try:
            return _checked(input("Analytics id of the JW property: ").strip())
        except EOFError as exc:
            raise OperatorError("no analytics id was given; nothing was written") from exc
        except OperatorError as exc:
            print(exc, file=sys.stderr)


def _checked(analytics_id: str) -> str:
    try:
        return config.load((), [f"{_KEY}={analytics_id}"]).config.analytics_id
    except ConfigError as exc:
        allowed = config.SETTINGS[_KEY].kind.words
        raise UsageError(f"{analytics_id!r} is no analytics id: it must be {allowed}") from exc


def _write(place: Path, text: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # Readable by the daemon's user: there is no secret in it unless a proxy has a password.
        with place.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        raise OperatorError(f"cannot write {place}: {exc.strerror}; name another place with --file") from exc
