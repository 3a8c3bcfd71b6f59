"""Enigma2 set-top boxes (OpenATV, OpenPLi …).  Source: docs/platform-sources.md, §4.5."""

from __future__ import annotations

from jwpingd.platforms import system
from jwpingd.platforms.system import os_release
from jwpingd.platforms.table import Platform, any_of, entry, joined, through, whole

_INFO, _IMAGE, _STB = "/usr/lib/enigma.info", "/etc/image-version", "/proc/stb/info"

PLATFORM = Platform(
    name="enigma2",
    sign=any_of(_STB, _INFO, _IMAGE),
    os_name=(entry(_INFO, "displaydistro"), entry(_IMAGE, "distro"), os_release("NAME"), "Enigma2"),
    os_version=(entry(_INFO, "imageversion"), entry(_IMAGE, "imageversion"), os_release("VERSION_ID")),
    vendor=(entry(_INFO, "displaybrand"), entry(_IMAGE, "machine_brand")),
    model=(
        entry(_INFO, "displaymodel"),
        entry(_IMAGE, "machine_name"),
        whole(f"{_STB}/boxtype"),
        through(whole(f"{_STB}/vumodel"), lambda model: f"Vu+ {model}"),
        *(whole(f"{_STB}/{name}") for name in ("gbmodel", "azmodel", "model")),
    ),
    firmware=(
        joined(".", entry(_INFO, "imageversion"), entry(_INFO, "imagebuild")),
        joined(".", entry(_IMAGE, "imageversion"), entry(_IMAGE, "imagebuild")),
        entry(_INFO, "imageversion"),
        entry(_IMAGE, "imageversion"),
    ),
    language=(entry("/etc/enigma2/settings", "config.osd.language"),),
    timezone=system.TIMEZONE,
)
