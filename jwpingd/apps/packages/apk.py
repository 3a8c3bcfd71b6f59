"""apk: Alpine, postmarketOS and OpenWrt from 25 on.  Its text database, version 2 (apk-tools, database.c).

One line a field, named by one letter: P a package, V its version, F a directory without its leading
slash, R a file in the directory last named.  A blank line ends a package.
"""

from __future__ import annotations

import os

from jwpingd.apps.app import App, clean
from jwpingd.apps.files import Files

PLACES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")


def owner(files: Files, paths: tuple[str, ...]) -> App | None:
    """The package that lists one of `paths`."""
    wanted = {os.fsencode(path.removeprefix("/")) for path in paths}
    return next((found for place in PLACES if (found := _owner(files, place, wanted))), None)


def _owner(files: Files, place: str, wanted: set[bytes]) -> App | None:
    if not files.holds(place, [b"\nR:" + path.rpartition(b"/")[2] + b"\n" for path in wanted]):
        return None
    fields: dict[bytes, bytes] = {}
    for line in files.lines(place):
        if not line:
            fields = {}
            continue
        key, _, value = line.partition(b":")
        fields[key] = value
        if key == b"R" and b"/".join(filter(None, (fields.get(b"F"), value))) in wanted:
            package = clean(fields.get(b"P", b"").decode("utf-8", "replace"))
            version = clean(fields.get(b"V", b"").decode("utf-8", "replace"))
            return App(package, version, "apk") if package else None
    return None
