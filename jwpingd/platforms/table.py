"""How a platform is described: by a sign, and by the places where each of its fields may stand.

A platform's file is one such table.  Its rows are read from left to right, and the first place that
says something is the field; the others are told to whoever asks what was tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from jwpingd import device
from jwpingd.device import Device, Fact
from jwpingd.platforms import forms, meaning
from jwpingd.platforms.root import Absent, Attempt, Root

T = TypeVar("T")


class Place(NamedTuple):
    """Where a value may stand: `find` gives it with its exact source, or raises Absent."""

    source: str
    find: Callable[[Root], Fact]


Places = tuple[Place | str, ...]
"""In the order in which they are asked.  A plain text is what holds for every box of the platform."""

Sign = Callable[[Root], str]
"""Gives what shows that a box is of the platform, or raises Absent."""

_MEANINGS: dict[str, Callable[[str], str]] = {
    "os_name": meaning.plain,
    "os_version": meaning.plain,
    "vendor": meaning.vendor,
    "model": meaning.model,
    "firmware": meaning.plain,
    "language": meaning.language,
    "timezone": meaning.timezone,
}
FIELDS = tuple(_MEANINGS)


class Platform(NamedTuple):
    """One kind of box.  Fields as of `Device`; of what it has no places nothing is known."""

    name: str
    sign: Sign
    os_name: Places = ()
    os_version: Places = ()
    vendor: Places = ()
    model: Places = ()
    firmware: Places = ()
    language: Places = ()
    timezone: Places = ()

    def probe(self, root: Root) -> Device | None:
        """The box at `root` if it is of this platform.  Never raises."""
        try:
            sign = self.sign(root)
        except Absent as exc:
            root.tried.append(Attempt("platform", self.name, str(exc)))
            return None
        facts = {field: self.fact(field, root, sign) for field in FIELDS}
        return Device(platform=self.name, sign=sign, **facts)

    def fact(self, field: str, root: Root, sign: str) -> Fact | None:
        """The first thing that is said of `field`; what holds for the whole platform is known by the sign."""
        places: Places = getattr(self, field)
        for place in places:
            if isinstance(place, str):
                return Fact(place, sign)
            try:
                fact = place.find(root)
                return Fact(_MEANINGS[field](fact.value), fact.source)
            except Absent as exc:
                root.tried.append(Attempt(field, place.source, str(exc)))
        return None


def any_of(*paths: str) -> Sign:
    """Any of these exists."""

    def sign(root: Root) -> str:
        for path in paths:
            if root.exists(path):
                return path
        raise Absent(f"no {' or '.join(paths)}")

    return sign


def read_at(source: str, read: Callable[[Root], str]) -> Place:
    """A place with one source, whatever `read` does to get at it."""
    return Place(source, lambda root: Fact(read(root), source))


def whole(path: str) -> Place:
    """The one value that a file holds, up to its first NUL."""
    return read_at(path, lambda root: root.text(path).partition("\0")[0])


def entry(path: str, key: str, form: forms.Form = forms.assignments) -> Place:
    """The value of `key` in a file of the form."""
    return read_at(f"{path}: {key}", lambda root: value_of(parsed(root, path, form), key))


def parsed(root: Root, path: str, form: forms.Form) -> Mapping[str, str]:
    """All that a file of the form says.  Raises Absent where there is no file."""
    return root.once((path, form), lambda: form(root.text(path)))


def value_of(values: Mapping[str, T], key: str) -> T:
    """The value of `key`.  Raises Absent where there is none."""
    if key not in values:
        raise Absent("not in the file")
    return values[key]


def through(place: Place, turn: Callable[[str], str]) -> Place:
    """What `turn` makes of the place's value; it may raise Absent."""

    def find(root: Root) -> Fact:
        fact = place.find(root)
        return Fact(turn(meaning.plain(fact.value)), fact.source)

    return Place(place.source, find)


def joined(separator: str, first: Place, second: Place) -> Place:
    """Both values as one; nothing where either is missing."""

    def find(root: Root) -> Fact:
        parts = (
            Fact(meaning.plain(fact.value), fact.source) for fact in (first.find(root), second.find(root))
        )
        return device.joined(separator, *parts)

    return Place(device.joined_source(first.source, second.source), find)
