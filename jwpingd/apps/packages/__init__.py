"""Which package owns a file: dpkg, opkg and apk, by reading their databases, without running them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path, PurePosixPath

from jwpingd.apps.app import App
from jwpingd.apps.files import Files
from jwpingd.apps.packages import apk, dpkg, opkg

DATABASES = (dpkg, opkg, apk)
"""Each has `owner(files, paths)`, and PLACES: what changes whenever a package is installed or removed."""

_INTERPRETER = re.compile(
    r"(python|pypy|perl|ruby|lua|luajit|node|nodejs|php|java|tclsh|wish|gjs|guile)[0-9.]*"
    r"|sh|bash|dash|ash|ksh|zsh|busybox|mono|dotnet|wine64?|qemu-.*|ld-.*|ld\.so"
    r"|nc(\.openbsd|\.traditional)?|ncat|socat|WPEWebProcess|WebKitWebProcess|QtWebEngineProcess"
)
"""Programs that run or speak for those of others, so that the package which owns them says nothing."""


def program(exe: str | None, arguments: tuple[str, ...]) -> str | None:
    """The file that says which program runs: the executable or, for an interpreter, its script.

    The script is taken from the command line, and only of an interpreter that the kernel knows.
    """
    if exe is None or not _INTERPRETER.fullmatch(PurePosixPath(exe).name):
        return exe
    return next((argument for argument in arguments[1:] if argument.startswith("/")), None)


def databases(files: Files) -> list[str]:
    """Which of the databases this box has."""
    return [
        database.__name__.rpartition(".")[2]
        for database in DATABASES
        if any(files.is_there(place) for place in database.PLACES)
    ]


def owner(files: Files, path: str | None) -> App | None:
    """The package that owns the file, as an app; None where none does."""
    if path is None or not path.isprintable():
        return None
    stamps = tuple(files.stamp(place) for database in DATABASES for place in database.PLACES)
    return _owner(files.root, _names(files, path), stamps)


@lru_cache(maxsize=64)
def _owner(root: Path, paths: tuple[str, ...], _stamps: tuple[object, ...]) -> App | None:
    """Remembered until a database changes: a player that connects again and again costs one look."""
    files = Files(root)
    return next((found for database in DATABASES if (found := database.owner(files, paths))), None)


def _names(files: Files, path: str) -> tuple[str, ...]:
    """The names a package may have listed the file by: /bin/x is /usr/bin/x where /bin is a link."""
    bare = path.removeprefix("/usr")
    top = PurePosixPath(bare).parts[1:2]
    if not top or not files.is_link(top[0]):
        return (path,)
    return (path, bare) if bare != path else (path, f"/usr{path}")
