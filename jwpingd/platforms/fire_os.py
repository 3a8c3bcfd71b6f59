"""Fire OS, on Fire TVs and on tablets: Android below, whose version is not the one that Amazon names.

Source: docs/platform-sources.md, §4.2.
"""

from __future__ import annotations

import re

from jwpingd.device import Fact
from jwpingd.platforms.android import CHARACTERISTICS, LANGUAGE, TIMEZONE, is_android, tv
from jwpingd.platforms.properties import MAKER, MODEL, prop, properties
from jwpingd.platforms.root import Absent, Root
from jwpingd.platforms.table import Place, Platform, through

_VERSION = r"[0-9]+(?:\.[0-9]+)+"

_TV_MODEL, _MOBILE_MODELS = "AFT", ("KF", "Kindle Fire")
"""How Amazon's names of models begin: of Fire TVs, of tablets."""


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
    if maker.value == "Amazon" and model.value.startswith((_TV_MODEL, *_MOBILE_MODELS)):
        return model.source
    raise Absent("no ro.build.version.fireos, and no model of Amazon's TVs and tablets")


def _mobile(root: Root) -> Fact:
    """A tablet or a phone, by its model or its kind.  What says nothing of either is a TV."""
    model, kind = _found(root, MODEL), properties(root).get(CHARACTERISTICS, Fact("", ""))
    if model.value.startswith(_MOBILE_MODELS):
        return Fact("Fire Mobile", model.source)
    if model.value.startswith(_TV_MODEL):
        raise Absent(f"the model of a TV: {model.value}")
    if not kind.value:
        raise Absent(f"no model of a tablet, and no {CHARACTERISTICS}")
    if (sign := _found(root, Place("signs of a TV", tv))).value:
        raise Absent(f"a TV by {sign.source}")
    return Fact("Fire Mobile", kind.source)


def _found(root: Root, place: Place) -> Fact:
    """What stands there, if anything."""
    try:
        return place.find(root)
    except Absent:
        return Fact("", "")


def _number(name: str) -> str:
    """ "Fire OS 6.2.9.0 (NS6290/4022)" → "6.2.9.0"."""
    match = re.search(_VERSION, name)
    if match is None:
        raise Absent(f"no version in it: {name}")
    return match[0]


PLATFORM = Platform(
    name="fire-os",
    sign=_is_fire_os,
    os_name=(Place("signs of a tablet", _mobile), "Fire OS"),
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
