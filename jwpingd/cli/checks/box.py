"""The box: what it says of itself, and whether its clock can be believed."""

from __future__ import annotations

from collections.abc import Iterator

from jwpingd.cli.checks.section import Section
from jwpingd.clock import Clock, Readers
from jwpingd.config import Config
from jwpingd.device import Device, Fact
from jwpingd.ping import LISTED_SYSTEMS


def device(found: Device, configured_os: str | None = None) -> Section:
    """What was read of the box, and where; what the configuration says instead is not in it."""
    rows = [("platform", found.platform, "")]
    for name, fact in found._asdict().items():
        if isinstance(fact, Fact) or fact is None:
            rows.append((name, *((fact.value, fact.source) if fact else ("(not known)", ""))))
    return Section("device", ("fact", "value", "source"), tuple(rows), tuple(_unlisted(found, configured_os)))


def _unlisted(found: Device, configured_os: str | None) -> Iterator[str]:
    """A system that the ping interface does not list is sent under another name, or may not be known."""
    if configured_os is not None:
        if configured_os not in LISTED_SYSTEMS:
            yield f"device.os = {configured_os!r}: the interface does not list it; reports may not know it"
    elif found.os_name is not None and found.os_name.value not in LISTED_SYSTEMS:
        name = found.os_name.value
        yield f"the interface does not list {name!r}: it is sent as Web, with its name in oosv (device.os)"


def clock(config: Config, readers: Readers | None = None) -> Section:
    """Whether the wall clock would be believed now."""
    is_local = config.collector_url.startswith("http://")
    state = Clock(readers, trust=config.clock.trust, is_collector_local=is_local).state
    rows = (("state", state.name), ("reason", state.reason))
    if state.name == "trusted":
        return Section("clock", ("what", "value"), rows)
    warning = f"{state.reason}: pings are held back until the collector, or a time service, tells the time"
    return Section("clock", ("what", "value"), rows, (warning,))
