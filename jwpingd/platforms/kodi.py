"""Systems that are Kodi and a kernel: LibreELEC, CoreELEC, OSMC.  What they have in common.

Source: docs/platform-sources.md, §4.6.
"""

from __future__ import annotations

from jwpingd.platforms import hardware, system
from jwpingd.platforms.forms import xml_names
from jwpingd.platforms.system import os_release
from jwpingd.platforms.table import Place, Places, Platform, Sign, entry, joined, through

FIRMWARE: Places = (joined(" ", os_release("VERSION"), os_release("BUILD_ID")), os_release("VERSION"))
VENDOR: Places = (*hardware.OWNER_VENDOR, *hardware.TREE_VENDOR, *hardware.DMI_VENDOR)
BOARD: Places = (*hardware.OWNER_MODEL, *hardware.TREE_MODEL, *hardware.DMI_MODEL)


def interface_language(home: str) -> Place:
    """The language of Kodi's own interface, which the viewer chooses: `resource.language.en_gb`."""
    settings = f"{home}/.kodi/userdata/guisettings.xml"
    return through(
        entry(settings, "locale.language", xml_names),
        lambda value: value.removeprefix("resource.language."),
    )


def elec(name: str, sign: Sign) -> Platform:
    """LibreELEC and what descends from it keep everything that changes in /storage."""
    return Platform(
        name=name,
        sign=sign,
        os_name=(os_release("NAME"),),
        os_version=(os_release("VERSION_ID"),),
        vendor=VENDOR,
        model=(*BOARD, *hardware.CPU_MODEL),
        firmware=FIRMWARE,
        language=(interface_language("/storage"), *system.LANGUAGE),
        timezone=(entry("/storage/.cache/timezone", "TIMEZONE"), *system.TIMEZONE),
    )
