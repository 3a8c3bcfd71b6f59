"""systemd units: their names as operators write them, and the app that a unit runs.

A unit's name is no bundle id.  It becomes one without its suffix and instance, its escapes undone
(systemd.unit(5)): `tvplayer@main.service` is `tvplayer`.  The units of a desktop's apps hold the app's
id in the form app[-launcher]-ID[-random].scope (systemd.io, Desktop Environments).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jwpingd.apps import cgroups
from jwpingd.apps.app import App, clean
from jwpingd.apps.files import Files

SOURCE = "unit"

_SUFFIXES = (".service", ".scope")
_ESCAPE = rb"\\x([0-9a-fA-F]{2})"
_ANYTHING = (
    r"(session-|run-|vte-spawn-|tmux-spawn-).*\.scope|init\.scope"
    r"|(user@|run-|getty@|serial-getty@|container-getty@|autovt@|ssh@|sshd@).*\.service"
    r"|(ssh|sshd|rescue|emergency|console-getty|debug-shell)\.service"
    r"|.*[-_][0-9a-f]{64}\.scope"
)
"""Units in which whatever a user starts may run, and those of containers, whose names are numbers."""

_USER_MANAGER = r"/user@[0-9]+\.service/"
_OF_PACKAGES = ("usr/lib/systemd/system", "lib/systemd/system")
"""Where packages install units; those in /etc are the operator's."""


def unit(paths: Iterable[str]) -> str | None:
    """The innermost unit in a process's cgroup paths, as systemd spells it."""
    found = _unit_and_path(paths)
    return found and found[0]


def names(unit_name: str) -> set[str]:
    """What an operator may call the unit: as it is, with its escapes undone, or by its template."""
    all_names = {unit_name, unescaped(unit_name)}
    stem, _, suffix = unit_name.rpartition(".")
    if "@" in stem:
        template = f"{stem.partition('@')[0]}@.{suffix}"
        all_names |= {template, unescaped(template)}
    return all_names


def app(paths: Iterable[str]) -> App | None:
    """The app that the process's unit stands for; None for a login session and its like."""
    found = _unit_and_path(paths)
    if found is None or re.fullmatch(_ANYTHING, found[0]):
        return None
    unit_name, path = found
    stem, _, suffix = unit_name.rpartition(".")
    stem = stem.partition("@")[0]
    if stem.startswith("app-") and (suffix == "scope" or re.search(_USER_MANAGER, path)):
        stem = _desktop_app(stem, suffix)
    elif stem.startswith("dbus-:"):
        stem = stem.rpartition("-")[2]
    app_id = clean(unescaped(stem))
    return App(app_id, None, SOURCE) if app_id else None


def package_file(files: Files, unit_name: str) -> str | None:
    """The path of the unit's file where a package installed it; that package has a version."""
    possible = sorted(name for name in names(unit_name) if "/" not in name and "\0" not in name)
    candidates = (f"{place}/{name}" for place in _OF_PACKAGES for name in possible)
    return next((f"/{path}" for path in candidates if files.is_there(path)), None)


def unescaped(text: str) -> str:
    """With `\\x2d` and the like as the characters they stand for."""
    raw = text.encode("utf-8", "surrogateescape")
    return re.sub(_ESCAPE, lambda match: bytes([int(match[1], 16)]), raw).decode("utf-8", "replace")


def _unit_and_path(paths: Iterable[str]) -> tuple[str, str] | None:
    for path in paths:
        for element in cgroups.innermost_first(path):
            if element.endswith(_SUFFIXES):
                return element, path
    return None


def _desktop_app(stem: str, suffix: str) -> str:
    """The id in app[-launcher]-ID and, for a scope, -random; dashes within the parts are escaped."""
    parts = stem.split("-")[1:]
    if suffix == "scope" and len(parts) > 1:
        parts = parts[:-1]
    return parts[-1]
