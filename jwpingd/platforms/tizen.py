"""Tizen.  Source: docs/platform-sources.md, §4.4.

`/etc/info.ini` has a Model too, but that is the name of the release.  vconf, the store of settings, is a
file a key with the type in the first four bytes, below /opt/var/kdb; later systems keep it elsewhere and
often closed to us.
"""

from __future__ import annotations

from jwpingd.platforms import system
from jwpingd.platforms.forms import ini, xml_names
from jwpingd.platforms.root import Absent
from jwpingd.platforms.system import os_release
from jwpingd.platforms.table import Place, Places, Platform, any_of, entry, read_at

_RELEASE, _MODEL_CONFIG = "/etc/tizen-release", "/etc/config/model-config.xml"
_VCONF_TEXT = b"\x28\0\0\0"  # VCONF_TYPE_STRING of vconf.h, 40, as a little-endian int


def _config(key: str) -> Places:
    """`key` of the model's configuration, in both of the spellings that are in use."""
    names = (f"tizen.org/system/{key}", f"http://tizen.org/system/{key}")
    return tuple(entry(_MODEL_CONFIG, name, xml_names) for name in names)


def _setting(path: str) -> Place:
    return read_at(path, lambda root: _text_setting(root.data(path)))


def _text_setting(data: bytes) -> str:
    if not data.startswith(_VCONF_TEXT):
        raise Absent("not a text setting")
    return data[len(_VCONF_TEXT) :].partition(b"\0")[0].decode("utf-8", "replace")


PLATFORM = Platform(
    name="tizen",
    sign=any_of(_RELEASE, _MODEL_CONFIG),
    os_name=("Tizen",),
    os_version=(os_release("VERSION_ID"), entry(_RELEASE, "VERSION")),
    vendor=_config("manufacturer"),
    model=_config("model_name"),
    firmware=(entry("/etc/info.ini", "[Version] Build", ini), os_release("BUILD_ID")),
    language=(
        _setting("/opt/var/kdb/db/menu_widget/language"),
        _setting("/opt/var/kdb/db/menu_widget+language"),
        *system.LANGUAGE,
    ),
    timezone=system.TIMEZONE,
)
