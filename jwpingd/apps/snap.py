"""Snap: the name is in the cgroup's or the AppArmor label's security tag, the version in snap.yaml.

The tag is snap.NAME.APP or snap.NAME_KEY.APP for a parallel instance, with a suffix that has changed
over the years (snapd, sandbox/cgroup).  All apps of a snap count as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jwpingd.apps import cgroups
from jwpingd.apps.app import App, clean
from jwpingd.apps.files import Files
from jwpingd.apps.units import unescaped

SOURCE = "snap"

_TAG = re.compile(r"snap\.([a-z0-9][a-z0-9-]*)(_[a-z0-9]+)?\.[a-zA-Z0-9]")
_PLACES = ("snap", "var/lib/snapd/snap")  # the second where there is no /snap: Fedora, Arch
_VERSION = re.compile(r"""^version:[ \t]*(["']?)(.*?)\1[ \t]*(?:#.*)?\r?$""", re.MULTILINE)


def app(paths: Iterable[str], label: str, files: Files) -> App | None:
    """The snap that runs; `label` is its AppArmor label, empty where there is none."""
    elements = (unescaped(element) for path in paths for element in cgroups.innermost_first(path))
    tag = next((match for match in map(_TAG.match, (*elements, label)) if match), None)
    if tag is None:
        return None
    instance = tag[1] + (tag[2] or "")
    return App(tag[1], _version(instance, files), SOURCE)


def _version(instance: str, files: Files) -> str | None:
    for place in _PLACES:
        match = _VERSION.search(files.text(f"{place}/{instance}/current/meta/snap.yaml") or "")
        if match:
            return clean(match[2])
    return None
