"""The box's maker and model by its BIOS (DMI) or its device tree.  Places for the tables of platforms.

Sources: docs/platform-sources.md, §5.2 to §5.4.  Serial numbers are never read.
"""

from __future__ import annotations

from jwpingd.device import Fact
from jwpingd.platforms import meaning
from jwpingd.platforms.forms import colons_or_equals
from jwpingd.platforms.root import Absent, Root
from jwpingd.platforms.table import Place, Places, entry, joined, read_at, through, whole

_DMI = "/sys/class/dmi/id"
_TREES = ("/proc/device-tree", "/sys/firmware/devicetree/base")


def _lenovo_name(root: Root) -> str:
    """Lenovo keeps the name that people know in the version, and a part number in the name."""
    if root.text(f"{_DMI}/sys_vendor").strip().casefold() != "lenovo":
        raise Absent("only Lenovo has the model there")
    return root.text(f"{_DMI}/product_version")


def _named(name: str) -> Place:
    return through(whole(f"{_DMI}/{name}"), meaning.maker)


def _tree(name: str) -> Place:
    """The one text of a node of the device tree."""

    def find(root: Root) -> Fact:
        path = _tree_path(root, name)
        return Fact(root.text(path).partition("\0")[0], path)

    return Place(f"{_TREES[0]}/{name}", find)


def _tree_model(name: str) -> Place:
    """The same, unless it only names the maker or the chip, as kernels of chip makers have it."""
    place = _tree(name)

    def find(root: Root) -> Fact:
        fact = place.find(root)
        value = meaning.model(fact.value)
        if value.casefold() in _makers_and_chips(root):
            raise Absent(f"only the maker or the chip: {value}")
        return fact

    return Place(place.source, find)


def _tree_board() -> Place:
    """The most specific entry of `compatible`, "maker,board"."""

    def find(root: Root) -> Fact:
        maker, board = _compatible(root)[0]
        return Fact(",".join(part for part in (maker, board) if part), _tree_path(root, "compatible"))

    return Place(f"{_TREES[0]}/compatible", find)


def _tree_maker() -> Place:
    def find(root: Root) -> Fact:
        # The chip's maker is no better as a vendor than as a model.
        return Fact(meaning.model(_compatible(root)[0][0]), _tree_path(root, "compatible"))

    return Place(f"{_TREES[0]}/compatible", find)


def _tree_path(root: Root, name: str) -> str:
    path = next((f"{tree}/{name}" for tree in _TREES if root.exists(f"{tree}/{name}")), "")
    return path or f"{_TREES[0]}/{name}"


def _makers_and_chips(root: Root) -> set[str]:
    try:
        entries = _compatible(root)
    except Absent:
        return set()
    chips = [(maker, chip) for maker, chip in entries[1:] if chip]
    return {maker for maker, _ in entries} | {chip for _, chip in chips} | {" ".join(chip) for chip in chips}


def _compatible(root: Root) -> list[tuple[str, str]]:
    """(maker, board or chip) of each entry, lower case, the most specific first.  Raises Absent if none.

    Kernels of chip makers write a blank after the comma.
    """
    entries = root.text(_tree_path(root, "compatible")).split("\0")
    pairs = (one.strip().casefold().partition(",") for one in entries if one.strip())
    found = [(maker.strip(), name.strip()) for maker, _, name in pairs]
    if not found:
        raise Absent("empty")
    return found


OWNER_MODEL: Places = (entry("/etc/machine-info", "HARDWARE_MODEL"),)
OWNER_VENDOR: Places = (entry("/etc/machine-info", "HARDWARE_VENDOR"),)
DMI_MODEL: Places = (
    read_at(f"{_DMI}/product_version", _lenovo_name),
    whole(f"{_DMI}/product_name"),
    joined(" ", _named("board_vendor"), _named("board_name")),
    whole(f"{_DMI}/board_name"),
)
DMI_VENDOR: Places = (whole(f"{_DMI}/sys_vendor"), whole(f"{_DMI}/board_vendor"))
TREE_MODEL: Places = (
    _tree_model("model"),
    _tree_model("coreelec-dt-id"),
    _tree_model("amlogic-dt-id"),
    _tree_board(),
)
TREE_VENDOR: Places = (_tree_maker(),)
CPU_MODEL: Places = (
    entry("/proc/cpuinfo", "Model", colons_or_equals),
    entry("/proc/cpuinfo", "Hardware", colons_or_equals),
)
