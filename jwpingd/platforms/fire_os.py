"""Fire OS on Fire TVs: Android below, whose version is not the one that Amazon names.

Source: the project's page on platform sources, §4.2.
"""

from __future__ import annotations

import re

from jwpingd.device import Fact
from jwpingd.platforms.android import LANGUAGE, TIMEZONE, is_android
from jwpingd.platforms.properties import MAKER, MODEL, prop, properties
from jwpingd.platforms.root import Absent, Root
from jwpingd.platforms.table import Platform, through

_VERSION = r"[0-9]+(?:\.[0-9]+)+"


def _is_fire_os(root: Root) -> str:
    build = is_android(root)
    known = properties(root)
    version = known.get("ro.build.version.fireos", Fact("", ""))
    if version.value:
        return version.source
    try:
        maker, model = MAKER.find(root), MODEL.find(root)
    except Absent:
        raise Absent(f"Android without ro.build.version.fireos in {build}") from None
    if maker.value == "Amazon" and model.value.startswith("AFT"):
        return model.source
    raise Absent("no ro.build.version.fireos, and no AFT model of Amazon's")


def _number(name: str) -> str:
    """ "Fire OS 6.2.9.0 (NS6290/4022)" → "6.2.9.0"."""
    match = re.search(_VERSION, name)
    if match is None:
        raise Absent(f"no version in it: {name}")
    return match[0]


PLATFORM = Platform(
    name="fire-os",
    sign=_is_fire_os,
    os_name=("Fire OS",),
    os_version=(
        through(prop("ro.build.mktg.fireos"), _number),
        through(prop("ro.build.version.name"), _number),
        prop("ro.build.version.fireos"),
    ),
    vendor=("Amazon",),
    model=(MODEL,),
    firmware=(prop("ro.build.version.incremental"),),
    language=LANGUAGE,
    timezone=TIMEZONE,
)
