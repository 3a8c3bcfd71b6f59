"""Flatpak: the id is in the scope's name for all to see, or in `.flatpak-info`, which few may read.

Neither has the app's version.  That is the first <release> in its metainfo (AppStream lists the newest
first), below the directory that `.flatpak-info` names, or in the system-wide installation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jwpingd.apps import cgroups
from jwpingd.apps.app import App, clean
from jwpingd.apps.files import Files
from jwpingd.apps.units import unescaped

SOURCE = "flatpak"

_SCOPE = re.compile(r"app-flatpak-(.+)-[0-9]+\.scope")
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
_INSTALLED = "/var/lib/flatpak/app/{}/current/active/files"
_METAINFO = (
    "share/metainfo/{}.metainfo.xml",
    "share/appdata/{}.appdata.xml",
    "share/metainfo/{}.appdata.xml",
)
_XML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_RELEASE = re.compile(r"""<release\s[^>]*?\bversion\s*=\s*(["'])([^"'<>]*)\1""")


def app(paths: Iterable[str], info: str, files: Files) -> App | None:
    """The Flatpak app that runs; `info` is its `.flatpak-info`, empty where that cannot be read."""
    told = _of_group_file(info)
    app_id = _id(told.get(("Application", "name"))) or _id_of_scope(paths)
    if app_id is None:
        return None
    return App(app_id, _version(app_id, told.get(("Instance", "app-path")), files), SOURCE)


def _id(text: str | None) -> str | None:
    value = clean(text)
    return value if value and _ID.fullmatch(value) else None


def _id_of_scope(paths: Iterable[str]) -> str | None:
    for path in paths:
        for element in cgroups.innermost_first(path):
            match = _SCOPE.fullmatch(element)
            if match:
                return _id(unescaped(match[1]))
    return None


def _version(app_id: str, app_path: str | None, files: Files) -> str | None:
    for text in _metainfo(app_id, app_path, files):
        release = _RELEASE.search(_XML_COMMENT.sub("", text))
        if release:
            return clean(release[2])
    return None


def _metainfo(app_id: str, app_path: str | None, files: Files) -> Iterator[str]:
    for place in (app_path, _INSTALLED.format(app_id)):
        if not place or not place.startswith("/"):
            continue
        for name in _METAINFO:
            text = files.text(f"{place.lstrip('/')}/{name.format(app_id)}")
            if text:
                yield text


def _of_group_file(text: str) -> dict[tuple[str, str], str]:
    """(group, key) → value of a key file of GLib."""
    values: dict[tuple[str, str], str] = {}
    group = ""
    for line in text.splitlines():
        key, is_entry, value = line.partition("=")
        if line.startswith("[") and line.rstrip().endswith("]"):
            group = line.strip()[1:-1]
        elif is_entry:
            values[group, key.strip()] = value.strip()
    return values
