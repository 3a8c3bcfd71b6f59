"""`jwpingd device`: what pings say of the box, where it was found, and where it was looked for in vain."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from jwpingd import platforms
from jwpingd.cli import common
from jwpingd.config import DeviceSettings, configured, overridden
from jwpingd.device import Device, Fact
from jwpingd.errors import ConfigError, OperatorError
from jwpingd.ping import DEVICE_KEYS, device_parameters
from jwpingd.platforms import Attempt, Root

EXAMPLE = "jwpingd device --root /mnt/image --set device.model=STB-4000"

_KEYS = ("oos", "sdk", "oosv", "om", "ofv", "olng")
_NOT_SENT = ("vendor", "timezone")
_ANY_ANALYTICS_ID = "analytics_id=0000000000000000000000"


class _Found(NamedTuple):
    """All that is told; `doubts` are the problems of a configuration that was therefore left out."""

    device: Device
    parameters: dict[str, Fact]
    tried: Sequence[Attempt]
    doubts: Sequence[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which box, which configuration, and the form of the answer."""
    common.add_arguments(parser)
    parser.add_argument(
        "--root",
        type=common.root_directory,
        default=Path("/"),
        metavar="DIR",
        help="the root file system to look at (default: this box's)",
    )
    parser.add_argument("--json", action="store_true", help="everything as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Show it.  A bad configuration is an error if it was asked for, and else left out."""
    if not args.root.is_dir():
        raise OperatorError(f"--root {args.root}: there is no such directory")
    settings, origins, doubts = _settings(args)
    root = Root(Path(os.path.realpath(args.root)))
    device = overridden(platforms.detect(root), settings, origins)
    parameters = device_parameters(
        device, configured(settings, "os", origins), configured(settings, "sdk", origins)
    )
    found = _Found(device, parameters, root.tried, doubts)
    print(json.dumps(_as_json(found), ensure_ascii=False) if args.json else "\n".join(_for_people(found)))
    return 0


def _settings(args: argparse.Namespace) -> tuple[DeviceSettings, dict[str, str], list[str]]:
    """(the section `device`, where its settings come from, why there is none)."""
    # What is not about the device must not keep it from being shown, and this is the one that must be set.
    args.set = [_ANY_ANALYTICS_ID, *args.set]
    try:
        loaded = common.load(args)
    except ConfigError as exc:
        if args.config or len(args.set) > 1:
            raise
        return DeviceSettings(), {}, [str(problem) for problem in exc.problems]
    return loaded.config.device, dict(loaded.origins), []


def _as_json(found: _Found) -> dict[str, Any]:
    device = found.device
    not_sent = {name: fact for name in _NOT_SENT if (fact := getattr(device, name)) is not None}
    return {
        "platform": device.platform,
        "sign": device.sign,
        "params": _facts_as_json({key: found.parameters[key] for key in _KEYS if key in found.parameters}),
        "not_sent": _facts_as_json(not_sent),
        "tried": [
            {"field": _name(attempt.field), "source": attempt.source, "reason": attempt.reason}
            for attempt in found.tried
        ],
        "configuration_problems": list(found.doubts),
    }


def _facts_as_json(facts: dict[str, Fact]) -> dict[str, dict[str, str]]:
    return {key: {"value": fact.value, "source": fact.source} for key, fact in facts.items()}


def _for_people(found: _Found) -> Iterator[str]:
    device = found.device
    yield from (f"the configuration is left out: {doubt}" for doubt in found.doubts)
    rows = [("platform", device.platform, device.sign)]
    rows += [(key, *_cells(found.parameters.get(key))) for key in _KEYS]
    rows += [(name, *_cells(getattr(device, name))) for name in _NOT_SENT]
    yield from _table(rows)
    yield ""
    yield "looked for in vain:"
    yield from _table(list(_in_vain(found.tried)), "  ")


def _cells(fact: Fact | None) -> tuple[str, str]:
    return (fact.value, fact.source) if fact else ("-", "not known")


def _in_vain(tried: Sequence[Attempt]) -> Iterator[tuple[str, str, str]]:
    """One row a file and reason, however many of its keys were asked for."""
    for _, group in groupby(tried, key=lambda attempt: (attempt.field, attempt.reason, _file(attempt))):
        same = list(group)
        keys = ", ".join(attempt.source.partition(": ")[2] for attempt in same)
        yield _name(same[0].field), f"{_file(same[0])}: {keys}" if keys else same[0].source, same[0].reason


def _file(attempt: Attempt) -> str:
    return attempt.source.partition(": ")[0]


def _name(field: str) -> str:
    return DEVICE_KEYS.get(field, field)


def _table(rows: Sequence[tuple[str, str, str]], indent: str = "") -> Iterator[str]:
    """Columns as wide as they must be; what is very long does not push the others away."""
    widths = [max((min(len(row[column]), 48) for row in rows), default=0) for column in (0, 1)]
    for first, second, third in rows:
        yield f"{indent}{first:<{widths[0]}}  {second:<{widths[1]}}  {third}".rstrip()
