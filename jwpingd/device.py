"""What is known of the box, and where each piece was read.  A value; `platforms` fills it in."""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    """One value and the file and key, or the setting, it came from.  The value is never empty."""

    value: str
    source: str


def joined(separator: str, first: Fact, second: Fact) -> Fact:
    """Two facts as one value; its source names both places, and a file that they share only once."""
    return Fact(first.value + separator + second.value, joined_source(first.source, second.source))


def joined_source(first: str, second: str) -> str:
    """Both places, each once; "FILE: A + B" where they are in one file."""
    if second in first.split(" + "):
        return first
    if second.startswith(f"{first}: "):
        return second
    file, _, key = second.partition(": ")
    return f"{first} + {key if key and first.startswith(f'{file}: ') else second}"


class Device(NamedTuple):
    """The box in its own words; `ping` knows how each field is called on the wire.

    `platform` is our word for the kind of box, `sign` what gave it away.  `os_name` is the true name of
    the system ("LibreELEC", "Fire OS"), not the interface's word for it; `language` a tag like "en-US".
    A field that could not be read is None, never an empty text or a placeholder.
    """

    platform: str
    sign: str = ""
    os_name: Fact | None = None
    os_version: Fact | None = None
    vendor: Fact | None = None
    model: Fact | None = None
    firmware: Fact | None = None
    language: Fact | None = None
    timezone: Fact | None = None
