"""From evidence to an app: the most particular kind first.

A container comes before the unit, because a container's unit is that of its runtime.  A unit has no
version: the package has one that owns the executable or, where that cannot be read, the unit's file.
"""

from __future__ import annotations

from pathlib import Path

from jwpingd.apps import containers, flatpak, packages, snap, units
from jwpingd.apps.app import App
from jwpingd.apps.files import Files
from jwpingd.apps.process import Process


def detect(process: Process, root: Path = Path("/")) -> App | None:
    """The app that the process is, None where nothing tells.  May read some 64 MiB; never raises."""
    files = Files(root)
    found = (
        flatpak.app(process.cgroups, process.flatpak_info, files)
        or snap.app(process.cgroups, process.label, files)
        or containers.app(process.cgroups, files)
    )
    if found is not None:
        return found
    package = packages.owner(files, packages.program(process.exe, process.arguments))
    found = units.app(process.cgroups)
    if found is None:
        return package
    if package is None and process.unit is not None:
        package = packages.owner(files, units.package_file(files, process.unit))
    return found._replace(version=package.version) if package else found
