"""OSMC: Debian with Kodi.  The loader tells which device it is, where the device tree does not."""

from __future__ import annotations

from jwpingd.platforms import hardware, kodi, system
from jwpingd.platforms.forms import words
from jwpingd.platforms.system import os_is, os_release
from jwpingd.platforms.table import Platform, entry

PLATFORM = Platform(
    name="osmc",
    sign=os_is("osmc"),
    os_name=(os_release("NAME"),),
    os_version=(os_release("VERSION_ID"),),
    vendor=kodi.VENDOR,
    model=(*kodi.BOARD, entry("/proc/cmdline", "osmcdev", words), *hardware.CPU_MODEL),
    firmware=kodi.FIRMWARE,
    language=(kodi.interface_language("/home/osmc"), *system.LANGUAGE),
    timezone=system.TIMEZONE,
)
