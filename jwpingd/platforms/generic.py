"""Any Linux: os-release, then the hardware by DMI or device tree.  What is left when no other probe fits.

Sources: os-release(5), machine-info(5), locale.conf(5); placeholders as surveyed in the project's
page on platform sources, §5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from jwpingd.device import Device, Fact
from jwpingd.platforms.reading import clean, read_assignments, read_text, read_value

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
LOCALE = ("/etc/locale.conf", "/etc/default/locale")
DMI = "/sys/class/dmi/id"
DEVICE_TREE = "/proc/device-tree"

_NO_HARDWARE_PREFIXES = (
    "to be filled",
    "to be set",
    "oem",
    "o.e.m.",
    "system product",
    "unknown product",
    "0x0",
)
_NO_HARDWARE = frozenset(
    (
        "system name",
        "system version",
        "system sku#",
        "system manufacturer",
        "default string",
        "default",
        "not specified",
        "not applicable",
        "not defined",
        "not available",
        "tbd by oem",
        "standard",
        "all series",
        "type1family",
    )
)
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[_-]([A-Za-z]{4}))?(?:[_-]([A-Za-z]{2}|[0-9]{3}))?(?:[.@].*)?")


def probe(root: Path) -> Device | None:
    """The box at `root` by what any Linux may say of itself; None if it says nothing at all."""
    path, release = os_release(root)
    device = Device(
        platform="generic",
        os_name=_fact(release, path, "NAME"),
        os_version=_fact(release, path, "VERSION_ID", "VERSION"),
        model=model(root),
        firmware=_fact(release, path, "IMAGE_VERSION", "BUILD_ID"),
        language=language(root),
    )
    return None if device == Device(platform="generic") else device


def os_release(root: Path) -> tuple[str, dict[str, str]]:
    """(path, its assignments) of the first os-release that has any; they are never merged."""
    for path in OS_RELEASE:
        if release := read_assignments(root, path):
            return path, release
    return OS_RELEASE[0], {}


def model(root: Path) -> Fact | None:
    """The hardware's model: what the owner says, the BIOS, or the device tree."""
    machine_info = read_assignments(root, "/etc/machine-info")
    return _fact(machine_info, "/etc/machine-info", "HARDWARE_MODEL") or _dmi_model(root) or _tree_model(root)


def language(root: Path) -> Fact | None:
    """The system's language as "de-de".  A file without one (comments only, "C") is passed over."""
    for path in LOCALE:
        assigned = read_assignments(root, path)
        for key in ("LC_ALL", "LC_MESSAGES", "LANG"):
            if tag := language_tag(assigned.get(key, "")):
                return Fact(tag, path)
    return None


def language_tag(locale: str) -> str | None:
    """ "de_DE.UTF-8" → "de-de"; None for "C", "POSIX" and anything that names no language."""
    match = _LOCALE.fullmatch(locale.strip())
    return "-".join(part.lower() for part in match.groups() if part) if match else None


def _dmi_model(root: Path) -> Fact | None:
    if value := _hardware(root, f"{DMI}/product_name"):
        vendor = _hardware(root, f"{DMI}/sys_vendor") or ""
        # Lenovo keeps the name people know in the version, and a part number in the name.
        known = _hardware(root, f"{DMI}/product_version") if vendor.casefold() == "lenovo" else None
        return Fact(known, f"{DMI}/product_version") if known else Fact(value, f"{DMI}/product_name")
    board = _hardware(root, f"{DMI}/board_name")
    if board is None:
        return None
    vendor = _hardware(root, f"{DMI}/board_vendor") or ""
    return Fact(f"{vendor} {board}".strip(), f"{DMI}/board_name")


def _tree_model(root: Path) -> Fact | None:
    """`model`, unless it only names the maker or the chip, as kernels of chip makers have it."""
    compatible = _compatible(root)
    makers_and_chips = {maker for maker, _ in compatible} | {chip for _, chip in compatible[1:]}
    for name in ("model", "amlogic-dt-id"):
        value = _hardware(root, f"{DEVICE_TREE}/{name}")
        if value and value.casefold() not in makers_and_chips:
            return Fact(value, f"{DEVICE_TREE}/{name}")
    value = _of_hardware(",".join(part for part in compatible[0] if part)) if compatible else None
    return Fact(value, f"{DEVICE_TREE}/compatible") if value else None


def _compatible(root: Path) -> list[tuple[str, str]]:
    """(maker, board or chip) of each entry, lower case, the most specific first."""
    entries = (read_text(root, f"{DEVICE_TREE}/compatible") or "").split("\0")
    pairs = (entry.partition(",")[::2] for entry in entries if clean(entry))
    return [(maker.strip().casefold(), name.strip().casefold()) for maker, name in pairs]


def _hardware(root: Path, path: str) -> str | None:
    return _of_hardware(read_value(root, path))


def _of_hardware(text: str | None) -> str | None:
    """`text` unless it is one of the things that makers leave in place of a name."""
    value = clean(text)
    lowered = (value or "").casefold()
    if lowered in _NO_HARDWARE or lowered.startswith(_NO_HARDWARE_PREFIXES):
        return None
    return value


def _fact(assigned: Mapping[str, str], path: str, *keys: str) -> Fact | None:
    """The first of `keys` that is assigned something."""
    for key in keys:
        if value := clean(assigned.get(key)):
            return Fact(value, path)
    return None
