"""What box this is.  One file per platform; the first that knows the box by its sign describes it.

Source of order and fields: docs/platform-sources.md, §1 and §2.  Everything is read below a root, files
only, once for the first player and again after SIGHUP; what the viewer may change is read for each play by
`renewed`.
"""

from __future__ import annotations

from pathlib import Path

from jwpingd.device import Device
from jwpingd.platforms import (
    android,
    armbian,
    coreelec,
    enigma2,
    fire_os,
    generic,
    libreelec,
    openwrt,
    osmc,
    rdk,
    tizen,
    webos,
)
from jwpingd.platforms.root import Attempt, Root
from jwpingd.platforms.table import Platform

__all__ = ["PROBES", "Attempt", "Platform", "Root", "detect", "renewed"]

PROBES: tuple[Platform, ...] = (
    fire_os.PLATFORM,
    android.PLATFORM,
    rdk.GATEWAY,
    rdk.PLATFORM,
    webos.PLATFORM,
    tizen.PLATFORM,
    enigma2.PLATFORM,
    libreelec.PLATFORM,
    coreelec.PLATFORM,
    osmc.PLATFORM,
    openwrt.PLATFORM,
    armbian.PLATFORM,
    generic.PLATFORM,
)
"""In the order in which they are asked.  os-release comes late, because most platforms have one too; the
generic platform takes every box."""


def detect(root: Path | Root) -> Device:
    """The box whose file system is at `root` ("/": this one).  Never raises for what files hold.

    A `Root` then tells in `tried` what was looked at in vain.
    """
    box = root if isinstance(root, Root) else Root(root)
    return next(device for platform in PROBES if (device := platform.probe(box)) is not None)


def renewed(device: Device, root: Path) -> Device:
    """`device` with what the viewer may have changed since, language and time zone, as they are now."""
    platform = next(platform for platform in PROBES if platform.name == device.platform)
    now = Root(root)
    return device._replace(
        language=platform.fact("language", now, device.sign),
        timezone=platform.fact("timezone", now, device.sign),
    )
