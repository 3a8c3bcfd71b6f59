"""What a player plays → its media id and title.

In this order: what the player says in so many words (script-opts `jwpingd-mediaid`), the integrator's
rule, JW's own delivery URLs, a file that is named by its id, else an id derived from the name.  A derived
id is the same on every box that plays a file of that name, and says nothing of it; with it the report
still tells items apart and shows their titles.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

_ID = "[0-9A-Za-z]{8}"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_DELIVERY = re.compile(rf"/(?:manifests|videos|previews|media|players)/({_ID})(?=[-./]|$)")
"""https://cdn.jwplayer.com/manifests/<id>.m3u8, …/videos/<id>-<template>.mp4, …/v2/media/<id>."""
_NAMED_BY_ID = re.compile(rf"({_ID})(?:-[0-9A-Za-z]+)?\.[0-9A-Za-z]+")
"""A download of …/videos/<id>-<template>.mp4, or <id>.mp4."""

ID_OPTION, TITLE_OPTION = "jwpingd-mediaid", "jwpingd-title"


class Described(NamedTuple):
    """What a player says of what it plays: path or URL, its own title, the options of the file."""

    path: str
    title: str = ""
    options: Mapping[str, str] = MappingProxyType({})


class Item(NamedTuple):
    """What jwpingd is told of it."""

    media_id: str
    title: str


class MediaRule:
    """`rule` is a media id for all items, or a regular expression whose first group is one, "" for none.

    Raises ValueError for a rule that is neither.
    """

    def __init__(self, rule: str = "", title: str = "") -> None:
        self._fixed = rule if re.fullmatch(_ID, rule) else ""
        self._pattern = None if self._fixed or not rule else _pattern(rule)
        self._title = title

    def item(self, described: Described) -> Item:
        """The item; every name has one."""
        title = described.options.get(TITLE_OPTION) or self._title or described.title
        return Item(self._media_id(described), title or _name(described.path))

    def _media_id(self, described: Described) -> str:
        said = described.options.get(ID_OPTION, "")
        if re.fullmatch(_ID, said):
            return said
        return self._fixed or self._by_pattern(described.path) or _by_name(described.path)

    def _by_pattern(self, path: str) -> str:
        found = self._pattern.search(path) if self._pattern else None
        media_id = (found.group(1) or "") if found else ""
        return media_id if re.fullmatch(_ID, media_id) else ""


def _pattern(rule: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(rule)
    except re.error as exc:
        raise ValueError(f"no regular expression: {exc}") from exc
    if not pattern.groups:
        raise ValueError("a regular expression needs a group around the id")
    return pattern


def _by_name(path: str) -> str:
    name = _name(path)
    found = _DELIVERY.search(path.partition("?")[0]) or _NAMED_BY_ID.fullmatch(name.rpartition("/")[2])
    return found.group(1) if found else _derived(name)


def _name(path: str) -> str:
    """The file's name; of a URL host and path, for what follows may be a token that changes."""
    if "://" not in path:
        return path.rstrip("/").rpartition("/")[2]
    try:
        parts = urlsplit(path)
        return (parts.hostname or "") + parts.path
    except ValueError:
        return path.partition("?")[0]


def _derived(name: str) -> str:
    """Eight digits of base 62.  Of 10,000 catalogues of 10,000 items, in two or three two items are alike."""
    number = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    digits = []
    for _ in range(8):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)
