"""Root file systems for tests of platforms: made from a table of files, or the trees in tests/platforms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jwpingd.device import Device, Fact
from jwpingd.ping import device_parameters

TREES = Path(__file__).parent / "platforms"


class Tree(NamedTuple):
    """A box in the repository.  `expected`: the platform, what is on the wire, vendor and time zone."""

    name: str
    root: Path
    expected: dict[str, str | None]


def trees() -> list[Tree]:
    """All of them, by name."""
    places = sorted(place.parent for place in TREES.glob("*/expected.json"))
    return [
        Tree(place.name, place / "root", json.loads((place / "expected.json").read_text()))
        for place in places
    ]


def box(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """A root file system with `files`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def facts(device: Device) -> dict[str, Fact]:
    """Everything that is told of a box: under its wire key, or its name where it has none."""
    not_sent = {"vendor": device.vendor, "timezone": device.timezone}
    return device_parameters(device) | {key: fact for key, fact in not_sent.items() if fact is not None}


def value(fact: Fact | None) -> str | None:
    return None if fact is None else fact.value
