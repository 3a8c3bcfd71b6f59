"""opkg: OpenWrt, Yocto images and Enigma2 boxes.

info/PACKAGE.list has a path a line, in some versions with its mode and link after tabs; the version is
in info/PACKAGE.control.
"""

from __future__ import annotations

import os

from jwpingd.apps.app import App, clean
from jwpingd.apps.files import Files
from jwpingd.apps.packages.stanzas import stanzas

PLACES = ("usr/lib/opkg/info", "var/lib/opkg/info", "opt/lib/opkg/info")
"""OpenWrt's, Yocto's and Entware's."""

_VERSION = frozenset(("Version",))


def owner(files: Files, paths: tuple[str, ...]) -> App | None:
    """The package that lists one of `paths`."""
    needles = [b"\n" + os.fsencode(path) + end for path in paths for end in (b"\n", b"\t")]
    for place in PLACES:
        for name in files.names(place):
            package = name.removesuffix(".list")
            if package == name:
                continue
            if files.holds(f"{place}/{name}", needles):
                return App(package, _version(files, place, package), "opkg")
    return None


def _version(files: Files, place: str, package: str) -> str | None:
    control = stanzas(files.lines(f"{place}/{package}.control"), _VERSION)
    return clean(next(control, {}).get("Version"))
