"""How the box is called on the wire: `Device` → oos sdk oosv om ofv olng, each still with its source.

Source: docs/ping-interface.md, §3.
"""

from __future__ import annotations

from jwpingd.device import Device, Fact, joined
from jwpingd.ping.table import LISTED_SYSTEMS

DEVICE_KEYS = {
    "os_name": "oos",
    "os_version": "oosv",
    "model": "om",
    "firmware": "ofv",
    "language": "olng",
}
"""Field of `Device` → wire key.  `sdk` follows from oos; vendor and time zone have no key."""

_NEAREST = "Web"
_LISTED_NAMES = {"Fire OS": "Fire TV"}
"""Systems that the interface lists under another name."""


def device_parameters(
    device: Device, configured_os: Fact | None = None, configured_sdk: Fact | None = None
) -> dict[str, Fact]:
    """Wire key → fact, without those that are not known.  What is configured wins over what follows."""
    system = configured_os or _listed(device.os_name)
    sdk = configured_sdk or Fact(LISTED_SYSTEMS.get(system.value, "0"), "follows oos")
    facts = {
        "oos": system,
        "sdk": sdk,
        "oosv": _version(device, system.value),
        "om": device.model,
        "ofv": device.firmware,
        "olng": device.language and _language(device.language),
    }
    return {key: fact for key, fact in facts.items() if fact is not None}


def _listed(name: Fact | None) -> Fact:
    """The system by the interface's name, or the nearest that it allows."""
    if name is None:
        return Fact(_NEAREST, "the interface's nearest; the system's name is not known")
    listed = _LISTED_NAMES.get(name.value, name.value)
    if listed in LISTED_SYSTEMS:
        return Fact(listed, name.source)
    return Fact(_NEAREST, f"{name.source}; the interface's nearest to {name.value}")


def _language(language: Fact) -> Fact:
    """The tag in lower case, also of a locale as the operator may write it: "de_AT.UTF-8"."""
    return Fact(language.value.partition(".")[0].lower().replace("_", "-"), language.source)


def _version(device: Device, system: str) -> Fact | None:
    """The version; the true name leads it where oos could not say it, so that nothing is lost."""
    name, version = device.os_name, device.os_version
    if system != _NEAREST or name is None or name.value == _NEAREST:
        return version
    if version is None:
        return name
    return joined(" ", name, version)
