"""What the operator knows better of the box than the box itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jwpingd.config.sections import DeviceSettings
from jwpingd.device import Device, Fact

_OVERRIDES = ("os_version", "model", "firmware", "language")
"""Settings of the same name as the field of `Device` that they replace; os and sdk are the wire's."""

_NO_ORIGINS: Mapping[str, str] = MappingProxyType({})


def overridden(device: Device, settings: DeviceSettings, origins: Mapping[str, str] = _NO_ORIGINS) -> Device:
    """What was detected, with what is configured in its place.  `origins` as of `Loaded`."""
    facts: dict[str, Any] = {
        name: fact for name in _OVERRIDES if (fact := configured(settings, name, origins)) is not None
    }
    return device._replace(**facts)


def configured(settings: DeviceSettings, name: str, origins: Mapping[str, str] = _NO_ORIGINS) -> Fact | None:
    """The setting `name` of the section as a fact; None where it is not set."""
    value = getattr(settings, name)
    if value is None:
        return None
    key = f"device.{name}"
    return Fact(str(value), f"{key} ({origins[key]})" if key in origins else key)
