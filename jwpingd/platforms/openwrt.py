"""OpenWrt.  os-release's OPENWRT_DEVICE_* are placeholders; the boot scripts write the truth to /tmp/sysinfo.

Source: docs/platform-sources.md, §4.7.
"""

from __future__ import annotations

from jwpingd.platforms import hardware
from jwpingd.platforms.forms import uci
from jwpingd.platforms.root import Absent
from jwpingd.platforms.system import os_is, os_release
from jwpingd.platforms.table import Platform, entry, through, whole


def _maker(board_name: str) -> str:
    """The first half of "glinet,gl-mt6000"; x86 has only "generic"."""
    maker, comma, _ = board_name.partition(",")
    if not comma:
        raise Absent(f"names no maker: {board_name}")
    return maker


PLATFORM = Platform(
    name="openwrt",
    sign=os_is("openwrt", "lede"),
    os_name=(os_release("NAME"),),
    os_version=(os_release("VERSION_ID"), entry("/etc/openwrt_release", "DISTRIB_RELEASE")),
    vendor=(through(whole("/tmp/sysinfo/board_name"), _maker), *hardware.TREE_VENDOR, *hardware.DMI_VENDOR),
    model=(whole("/tmp/sysinfo/model"), *hardware.TREE_MODEL, *hardware.DMI_MODEL),
    firmware=(os_release("BUILD_ID"), entry("/etc/openwrt_release", "DISTRIB_REVISION")),
    # Its web interface writes a blank for each "_".
    timezone=(through(entry("/etc/config/system", "zonename", uci), lambda zone: zone.replace(" ", "_")),),
)
