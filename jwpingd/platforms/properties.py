"""Android's system properties as they stand in files; `getprop` cannot be asked without a process.

Sources: property_service.cpp and persistent_properties.proto of AOSP; the project's page on platform
sources, §4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from jwpingd.device import Fact
from jwpingd.platforms import forms, meaning
from jwpingd.platforms.root import Absent, Root
from jwpingd.platforms.table import Place, parsed, whole

BUILD = "/system/build.prop"
_FILES = (
    (BUILD,),
    ("/system_ext/etc/build.prop", "/system_ext/build.prop"),
    ("/vendor/default.prop",),
    ("/vendor/build.prop",),
    ("/odm/etc/build.prop", "/odm/build.prop"),
    ("/product/etc/build.prop", "/product/build.prop"),
)
"""In the order in which init loads them: the later one wins.  Of alternatives the first that is there."""
_ON_DEBUGGABLE_BUILDS = "/data/local.prop"
_PERSISTENT = "/data/property/persistent_properties"
_OLD_PERSISTENT = tuple(f"/data/property/{key}" for key in ("persist.sys.locale", "persist.sys.timezone"))
"""Before Android 8.1, and so on Fire OS 5 and 6, each has a file of its own."""
_PARTITIONS = ("product", "odm", "vendor", "system_ext", "system")


def prop(key: str) -> Place:
    """A property; one that the viewer can change (persist.*) first where such are kept."""

    def find(root: Root) -> Fact:
        known = properties(root)
        if key not in known:
            raise Absent("in none of the files")
        return known[key]

    return Place(f"properties: {key}", find)


def _product_prop(name: str, turn: Callable[[str], str]) -> Place:
    """`ro.product.NAME`, which Android 10 and later put together from those of the partitions.

    What is empty or a placeholder in one place is looked for in the next.
    """

    def find(root: Root) -> Fact:
        known = properties(root)
        order = known.get("ro.product.property_source_order")
        partitions = order.value.split(",") if order and order.value else _PARTITIONS
        keys = ["ro.product." + name, *(f"ro.product.{one.strip()}.{name}" for one in partitions)]
        reason = "in none of the files"
        for fact in (known[key] for key in keys if key in known):
            try:
                return Fact(turn(fact.value), fact.source)
            except Absent as exc:
                reason = str(exc)
        raise Absent(reason)

    return Place(f"properties: ro.product.{name}", find)


MAKER = _product_prop("manufacturer", meaning.vendor)
MODEL = _product_prop("model", meaning.model)


def properties(root: Root) -> Mapping[str, Fact]:
    """Every property that is known, with the file it stands in."""
    return root.once("android properties", lambda: _properties(root))


def _properties(root: Root) -> dict[str, Fact]:
    found = dict[str, Fact]()
    for paths in _FILES:
        path = next((path for path in paths if root.exists(path)), paths[0])
        found |= _of_file(root, path)
    debuggable = found.get("ro.debuggable")
    if debuggable and debuggable.value == "1":
        found |= _of_file(root, _ON_DEBUGGABLE_BUILDS)
    return found | _persistent(root)


def _of_file(root: Root, path: str) -> dict[str, Fact]:
    try:
        values = parsed(root, path, forms.properties)
    except Absent:
        return {}
    return {key: Fact(value, f"{path}: {key}") for key, value in values.items()}


def _persistent(root: Root) -> dict[str, Fact]:
    """What was set at runtime; only root may read it."""
    try:
        data = root.data(_PERSISTENT)
    except Absent:
        return dict(_old_persistent(root))
    return {key: Fact(value, f"{_PERSISTENT}: {key}") for key, value in _records(data)}


def _old_persistent(root: Root) -> Iterator[tuple[str, Fact]]:
    for path in _OLD_PERSISTENT:
        with suppress(Absent):
            yield path.rpartition("/")[2], whole(path).find(root)


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """The (name, value) records of a PersistentProperties message, up to where it is broken off."""
    for number, record in _fields(data):
        if number == 1:
            parts = {part: text.decode("utf-8", "replace") for part, text in _fields(record)}
            yield parts.get(1, ""), parts.get(2, "")


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, bytes) of each field of a message that has texts and messages only."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        size, at = _varint(data, at)
        if tag & 7 != 2 or at + size > len(data):
            return
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(the number that begins at `at`, where the next thing begins)."""
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 0x7F) << shift
        at, shift, is_last = at + 1, shift + 7, data[at] < 0x80
        if is_last:
            break
    return value, at
