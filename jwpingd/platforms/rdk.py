"""RDK: operators' set-top boxes (RDK-V), and gateways (RDK-B).

Source: docs/platform-sources.md, §4.1.  os-release only serves as a sign: it says the
same for every release.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from jwpingd.device import joined_source
from jwpingd.platforms.forms import assignments, colons_or_equals
from jwpingd.platforms.meaning import MAX_CHARACTERS, plain
from jwpingd.platforms.rdk_store import user_setting
from jwpingd.platforms.root import Absent, Root
from jwpingd.platforms.system import os_is
from jwpingd.platforms.table import Place, Platform, entry, parsed, read_at, through, value_of, whole

_PROPERTIES, _VERSION = "/etc/device.properties", "/version.txt"
MAX_HOPS = 4  # of KEY=$OTHER_KEY; more of them are a circle
_REFERENCE = r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?"
_IMAGE_LINE = r"(?m)^imagename:"
_RELEASE = r"([0-9]+)\.([0-9]+)[sp]"
_REGION_LANGUAGE = r"([A-Za-z]{2})_([A-Za-z]{2})"


def _is_rdk(root: Root) -> str:
    if not root.exists(_PROPERTIES):
        raise Absent(f"no {_PROPERTIES}")
    try:
        if re.search(_IMAGE_LINE, root.text(_VERSION)):
            return joined_source(_PROPERTIES, f"{_VERSION}: imagename")
    except Absent:
        pass
    try:
        return joined_source(_PROPERTIES, os_is("rdk")(root))
    except Absent as exc:
        raise Absent(f"{_PROPERTIES}, but no imagename in {_VERSION}, and {exc}") from None


def _is_gateway(root: Root) -> str:
    sign = _is_rdk(root)
    if _device_type(root) != "broadband":
        raise Absent("DEVICE_TYPE is not broadband")
    return sign


def _device_type(root: Root) -> str:
    try:
        return parsed(root, _PROPERTIES, assignments).get("DEVICE_TYPE", "").strip().lower()
    except Absent:
        return ""


def _property(key: str) -> Place:
    """A device property; its value may be another's, `$OTHER`."""

    def read(root: Root) -> str:
        values = parsed(root, _PROPERTIES, assignments)
        return _expanded(value_of(values, key), values)

    return read_at(f"{_PROPERTIES}: {key}", read)


def _expanded(value: str, values: Mapping[str, str]) -> str:
    """With what it refers to in its place, over a few hops; cut, because references can multiply."""
    for _ in range(MAX_HOPS):
        value = value[:MAX_CHARACTERS]
        if "$" not in value:
            return value
        value = re.sub(_REFERENCE, lambda reference: values.get(reference[1], "")[:MAX_CHARACTERS], value)
    if re.search(_REFERENCE, value):
        raise Absent("refers to itself")
    return value


def _image(key: str) -> Place:
    return entry(_VERSION, key, colons_or_equals)


def _release(image: str) -> str:
    """ "XUSHTC11MWR_8.2s14_PROD" → "8.2.0.0", as RDK's own plugin answers."""
    match = re.search(_RELEASE, image)
    if match is None:
        raise Absent(f"no release in it: {image}")
    return f"{match[1]}.{match[2]}.0.0"


def _language(preference: str) -> str:
    """ "US_en" → "en-US": region first."""
    match = re.fullmatch(_REGION_LANGUAGE, preference)
    if match is None:
        raise Absent(f"not region_language: {preference}")
    return f"{match[2]}-{match[1]}"


PLATFORM = Platform(
    name="rdk-v",
    sign=_is_rdk,
    os_name=("RDK",),
    os_version=(_image("VERSION"), through(_image("imagename"), _release)),
    vendor=(
        _property("MFG_NAME"),
        # What wrote it put "_" for each blank.
        through(whole("/tmp/.manufacturer"), lambda maker: plain(maker.replace("_", " "))),
    ),
    model=(
        _property("FRIENDLY_ID"),
        _property("MODEL_NUM"),
        through(_image("imagename"), lambda image: image.split("_")[0]),
    ),
    firmware=(_image("imagename"),),
    language=(
        user_setting("/opt/secure/persistent/rdkservicestore", "presentationLanguage"),
        user_setting("/opt/persistent/rdkservicestore", "presentationLanguage"),
        through(entry("/opt/user_preferences.conf", "ui_language"), _language),
    ),
    timezone=(whole("/opt/persistent/timeZoneDST"),),
)
GATEWAY = PLATFORM._replace(name="rdk-b", sign=_is_gateway)
