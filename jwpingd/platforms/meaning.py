"""What the texts of a box mean: a value in clean form, or nothing, with the reason.

Sources: placeholders as surveyed in docs/platform-sources.md, §3 and §5.3.
"""

from __future__ import annotations

import re
from collections.abc import Set

from jwpingd.platforms.root import Absent

MAX_CHARACTERS = 512
"""No ping has room for more, and what is kept of a box must be bounded."""

_NOTHING = frozenset(
    (
        *("unknown", "linux", "generic", "tbd", "none", "(none)", "null", "n/a", "undefined", "invalid"),
        *("uninitialized", "99.99.0.0", "0.0.0.0"),
    )
)
_NO_HARDWARE = frozenset(
    (
        *("system name", "system version", "system sku#", "system manufacturer", "default string", "default"),
        *("not specified", "not applicable", "not defined", "not available", "tbd by oem", "standard"),
        *("all series", "type1family", "product name", "board name"),
    )
)
_NO_HARDWARE_PREFIXES = (
    *("to be filled", "to be set", "oem", "o.e.m.", "system product", "unknown product", "0x0"),
)
_CHIP_MAKERS = frozenset(
    (
        *("allwinner", "amlogic", "arm", "brcm", "broadcom", "fsl", "freescale", "hisilicon", "intel"),
        *("marvell", "mediatek", "nxp", "qcom", "qualcomm", "realtek", "rockchip", "samsung", "sigmastar"),
        *("spreadtrum", "st", "stmicroelectronics", "synaptics", "ti", "unisoc"),
    )
)
_ALSO_BOX_MAKERS = frozenset(("intel", "samsung"))
_INVISIBLE = r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+"
_LOCALE = r"([A-Za-z]{2,3})(?:[_-]([A-Za-z]{4}))?(?:[_-]([A-Za-z]{2}|[0-9]{3}))?(?:[.@].*)?"
_NO_LANGUAGE = frozenset(("und", "mul", "zxx"))
_ZONE = (
    r"[A-Z][A-Za-z_]*(?:/[A-Za-z0-9_+-]+)+"  # Europe/Berlin, Etc/GMT+1
    r"|[A-Z][A-Za-z]+(?:-[A-Z][A-Za-z]*)?"  # UTC, GB-Eire
    r"|[A-Z]{3}[0-9][A-Z]{3}"  # EST5EDT
)


def plain(text: str) -> str:
    """`text` without control characters and outer blanks.  Raises Absent if nothing is said with it."""
    seen = text if text.isprintable() else re.sub(_INVISIBLE, " ", text)
    value = seen.strip()[:MAX_CHARACTERS].rstrip()
    if not any(character.isalnum() for character in value):
        raise Absent("empty")
    if value.casefold() in _NOTHING:
        raise Absent(f"a placeholder: {value}")
    return value


def maker(text: str) -> str:
    """The same for a name that a maker should have filled in."""
    value = plain(text)
    lowered = value.casefold()
    if lowered in _NO_HARDWARE or lowered.startswith(_NO_HARDWARE_PREFIXES):
        raise Absent(f"a placeholder: {value}")
    return value


def vendor(text: str) -> str:
    """The same for who makes the box: the maker of its chip is not meant, unless it makes boxes too."""
    return _no_chip_maker(maker(text), _CHIP_MAKERS - _ALSO_BOX_MAKERS)


def model(text: str) -> str:
    """The same for what is to be a model: the maker of its chip is none."""
    return _no_chip_maker(maker(text), _CHIP_MAKERS)


def _no_chip_maker(value: str, chip_makers: Set[str]) -> str:
    if value.casefold() in chip_makers:
        raise Absent(f"only the chip's maker: {value}")
    return value


def language(text: str) -> str:
    """A locale as a language tag: "de_DE.UTF-8" → "de-DE".  Raises Absent for "C" and the like."""
    value = plain(text)
    match = re.fullmatch(_LOCALE, value)
    if match is None or match[1].lower() in _NO_LANGUAGE:
        raise Absent(f"names no language: {value}")
    script, region = match[2], match[3]
    parts = (match[1].lower(), script and script.title(), region and region.upper())
    return "-".join(part for part in parts if part)


def timezone(text: str) -> str:
    """The name of a time zone, also where it ends a path of the zone files.  Raises Absent."""
    value = plain(text).removeprefix(":")
    _, is_path, name = value.rpartition("zoneinfo/")
    name = (name if is_path else value).removeprefix("posix/").removeprefix("right/")
    if not re.fullmatch(_ZONE, name):
        raise Absent(f"names no time zone: {value}")
    return name
