"""What box this is.  One file per platform; the first probe that knows the box answers.

The generic probe comes last, because most platforms ship an os-release too, and some a useless one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jwpingd.device import Device
from jwpingd.platforms import generic

PROBES: tuple[Callable[[Path], Device | None], ...] = (generic.probe,)
"""In the order of the project's page on platform sources, §1."""


def detect(root: Path) -> Device:
    """The box whose file system is at `root` ("/": this one).  Never raises for what files hold."""
    for probe in PROBES:
        device = probe(root)
        if device is not None:
            return device
    return Device(platform="unknown")
