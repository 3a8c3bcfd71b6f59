"""Android TV, and other Androids.  Source: docs/platform-sources.md, §4.2."""

from __future__ import annotations

from jwpingd.device import Fact
from jwpingd.platforms.properties import BUILD, MAKER, MODEL, prop, properties
from jwpingd.platforms.root import Absent, Root
from jwpingd.platforms.table import Place, Places, Platform, joined

_LEANBACK = "/system/etc/permissions/android.software.leanback.xml"
CHARACTERISTICS = "ro.build.characteristics"
"""What kind of device it is, in words with commas between them."""

LANGUAGE: Places = (prop("persist.sys.locale"), prop("ro.product.locale"))
TIMEZONE: Places = (prop("persist.sys.timezone"),)


def is_android(root: Root) -> str:
    """The file of properties, and something to read them with: other systems have no use for both."""
    if not root.exists(BUILD):
        raise Absent(f"no {BUILD}")
    if not root.exists("/system/bin/getprop") and not root.exists("/dev/__properties__"):
        raise Absent(f"{BUILD}, but neither /system/bin/getprop nor /dev/__properties__")
    return BUILD


def tv(root: Root) -> Fact:
    """Android on a TV says so; on anything else it is plain Android."""
    kinds = properties(root).get(CHARACTERISTICS, Fact("", ""))
    if "tv" in (kind.strip() for kind in kinds.value.split(",")):
        return Fact("Android TV", kinds.source)
    if root.exists(_LEANBACK):
        return Fact("Android TV", _LEANBACK)
    raise Absent(f"{CHARACTERISTICS} names no tv, and there is no {_LEANBACK}")


PLATFORM = Platform(
    name="android-tv",
    sign=is_android,
    os_name=(Place("signs of a TV", tv), "Android"),
    os_version=(prop("ro.build.version.release"),),
    vendor=(MAKER,),
    model=(MODEL,),
    firmware=(
        joined(" ", prop("ro.build.display.id"), prop("ro.build.version.incremental")),
        prop("ro.build.display.id"),
        prop("ro.build.version.incremental"),
    ),
    language=LANGUAGE,
    timezone=TIMEZONE,
)
