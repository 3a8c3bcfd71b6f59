"""Any Linux (Yocto, Buildroot, Debian …): what is left when no other platform fits."""

from __future__ import annotations

from jwpingd.platforms import hardware, system
from jwpingd.platforms.system import os_release
from jwpingd.platforms.table import Platform

PLATFORM = Platform(
    name="generic",
    sign=lambda _root: "nothing else fits",
    os_name=(os_release("NAME"),),
    os_version=(os_release("VERSION_ID"), os_release("VERSION")),
    vendor=(*hardware.OWNER_VENDOR, *hardware.DMI_VENDOR, *hardware.TREE_VENDOR),
    model=(*hardware.OWNER_MODEL, *hardware.DMI_MODEL, *hardware.TREE_MODEL, *hardware.CPU_MODEL),
    firmware=(os_release("IMAGE_VERSION"), os_release("BUILD_ID")),
    language=system.LANGUAGE,
    timezone=system.TIMEZONE,
)
