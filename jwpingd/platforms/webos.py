"""webOS on LG's TVs.  Source: docs/platform-sources.md, §4.3.

`device_info.json` also holds serial number, nduid and MAC: they are never looked at.
"""

from __future__ import annotations

import re

from jwpingd.platforms import system
from jwpingd.platforms.forms import json_texts
from jwpingd.platforms.root import Absent
from jwpingd.platforms.table import Place, Platform, any_of, entry, through, whole

_OS, _DEVICE, _RELEASE = "/var/run/nyx/os_info.json", "/var/run/nyx/device_info.json", "/etc/starfish-release"
_RELEASE_NUMBER = r"\brelease ([0-9]+(?:\.[0-9]+)+)"


def _nyx(path: str, key: str) -> Place:
    return entry(path, key, json_texts)


def _release_number(line: str) -> str:
    """ "Rockhopper release 6.0.1-4529 (kisscurl-kalaupapa)" → "6.0.1"."""
    match = re.search(_RELEASE_NUMBER, line)
    if match is None:
        raise Absent(f"names no release: {line}")
    return match[1]


PLATFORM = Platform(
    name="webos",
    sign=any_of(_OS, _RELEASE),
    os_name=(_nyx(_OS, "webos_name"), "webOS"),
    os_version=(_nyx(_OS, "webos_release"), through(whole(_RELEASE), _release_number)),
    vendor=("LG",),
    model=(_nyx(_DEVICE, "product_id"),),
    firmware=(_nyx(_OS, "webos_manufacturing_version"),),
    language=(_nyx("/var/luna/preferences/localeInfo", "localeInfo.locales.UI"),),
    timezone=system.TIMEZONE,
)
