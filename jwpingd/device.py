"""What is known of the box, and where each piece was read.  A value; `platforms` fills it in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """One value and the file and key, or the setting, it came from.  The value is never empty."""

    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Device:
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
