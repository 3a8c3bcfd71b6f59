"""Armbian on a TV box.  Its os-release is Debian's or Ubuntu's; what it is itself stands in armbian-release.

Source: docs/platform-sources.md, §4.8.
"""

from __future__ import annotations

from jwpingd.platforms import hardware, system
from jwpingd.platforms.system import os_release
from jwpingd.platforms.table import Platform, any_of, entry

_RELEASE = "/etc/armbian-release"

PLATFORM = Platform(
    name="armbian",
    sign=any_of(_RELEASE),
    os_name=("Armbian",),
    os_version=(entry(_RELEASE, "VERSION"), os_release("VERSION_ID")),
    vendor=(*hardware.OWNER_VENDOR, *hardware.TREE_VENDOR, *hardware.DMI_VENDOR),
    model=(
        *hardware.OWNER_MODEL,
        entry(_RELEASE, "BOARD_NAME"),
        *hardware.TREE_MODEL,
        *hardware.DMI_MODEL,
        entry(_RELEASE, "BOARD"),
    ),
    firmware=(entry(_RELEASE, "VERSION"), os_release("BUILD_ID")),
    language=system.LANGUAGE,
    timezone=system.TIMEZONE,
)
