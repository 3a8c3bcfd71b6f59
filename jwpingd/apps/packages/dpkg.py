"""dpkg: Debian and its kin, OSMC and Armbian among them (dpkg-query(1), deb822(5)).

info/PACKAGE[:ARCHITECTURE].list has a path a line.  A path that was diverted (dpkg-divert(1)) is listed
by the name the package knows it by, not by where it lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from jwpingd.apps.app import App, clean
from jwpingd.apps.files import Files
from jwpingd.apps.packages.stanzas import stanzas

PLACES = ("var/lib/dpkg/status",)

_INFO = "var/lib/dpkg/info"
_DIVERSIONS = "var/lib/dpkg/diversions"
_KEYS = frozenset(("Package", "Architecture", "Version"))


def owner(files: Files, paths: tuple[str, ...]) -> App | None:
    """The package that lists one of `paths`."""
    listed, only_by, not_by = _after_diversions(files, paths)
    needles = [b"\n" + os.fsencode(path) + b"\n" for path in listed]
    for name in _candidates(files, paths[0]):
        package, _, architecture = name.partition(":")
        if package in not_by or only_by not in (None, package):
            continue
        if files.holds(f"{_INFO}/{name}.list", needles):
            return App(package, _version(files, package, architecture), "dpkg")
    return None


def _candidates(files: Files, path: str) -> list[str]:
    """All packages, those first that are named in the path: most often one of them it is."""
    names = [name.removesuffix(".list") for name in files.names(_INFO) if name.endswith(".list")]
    return sorted(names, key=lambda name: name.partition(":")[0] not in path)


def _after_diversions(files: Files, paths: tuple[str, ...]) -> tuple[list[str], str | None, set[str]]:
    """(names by which the file is listed, the one package it can be of, packages it cannot be of)."""
    listed, only_by, not_by = list(paths), None, set[str]()
    for diverted, to, package in _diversions(files):
        if to in paths:
            listed.append(diverted)
            not_by.add(package)
        elif diverted in paths:
            only_by = package  # A local diversion's package is ":", which none is called.
    return listed, only_by, not_by


def _diversions(files: Files) -> Iterator[tuple[str, str, str]]:
    """(path, where it was diverted to, the package whose file is at the path), three lines each."""
    lines = files.lines(_DIVERSIONS)
    for diverted, to, package in zip(lines, lines, lines, strict=False):
        yield os.fsdecode(diverted), os.fsdecode(to), os.fsdecode(package)


def _version(files: Files, package: str, architecture: str) -> str | None:
    for stanza in stanzas(files.lines(PLACES[0]), _KEYS):
        if stanza.get("Package") == package and architecture in ("", stanza.get("Architecture")):
            return clean(stanza.get("Version"))
    return None
