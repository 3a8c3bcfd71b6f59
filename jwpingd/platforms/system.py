"""What any Linux says of itself: os-release, locale, time zone.  Places for the tables of platforms.

Sources: os-release(5), locale.conf(5), localtime(5); docs/platform-sources.md, §5.
"""

from __future__ import annotations

from collections.abc import Mapping

from jwpingd.device import Fact
from jwpingd.platforms.forms import assignments
from jwpingd.platforms.root import Absent, Root
from jwpingd.platforms.table import Place, Places, Sign, entry, parsed, read_at, value_of, whole

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_LOCALE_KEYS = ("LC_ALL", "LC_MESSAGES", "LANG")


def os_release(key: str) -> Place:
    """What os-release says under `key`."""

    def find(root: Root) -> Fact:
        path, values = _os_release(root)
        return Fact(value_of(values, key), f"{path}: {key}")

    return Place(f"os-release: {key}", find)


def os_is(*ids: str) -> Sign:
    """os-release's ID is one of these."""

    def sign(root: Root) -> str:
        path, values = _os_release(root)
        found = values.get("ID", "").strip()
        if found.lower() in ids:
            return f"{path}: ID"
        raise Absent(f"os-release says ID={found[:40]}" if found else "os-release has no ID")

    return sign


def _os_release(root: Root) -> tuple[str, Mapping[str, str]]:
    """(path, what it says) of the first os-release that says anything; they are never merged."""
    for path in OS_RELEASE:
        try:
            values = parsed(root, path, assignments)
        except Absent:
            continue
        if values:
            return path, values
    raise Absent("no os-release")


def _variable(name: str) -> Place:
    return read_at(f"environment: {name}", lambda root: root.variable(name))


def _link(path: str) -> Place:
    """Where a link leads.  A file in its place, copied there, tells no name."""

    def read(root: Root) -> str:
        if not root.exists(path):
            raise Absent("no such file")
        try:
            real_path = root.real_path(path)
        except OSError:
            raise Absent("a loop of links") from None
        if "zoneinfo/" not in real_path:
            raise Absent("no link to a zone file, so it has no name")
        return real_path

    return read_at(path, read)


LANGUAGE: Places = (
    *(_variable(name) for name in _LOCALE_KEYS),
    *(entry("/etc/locale.conf", key) for key in _LOCALE_KEYS),
    *(entry("/etc/default/locale", key) for key in _LOCALE_KEYS),
)
TIMEZONE: Places = (_variable("TZ"), _link("/etc/localtime"), whole("/etc/timezone"))
