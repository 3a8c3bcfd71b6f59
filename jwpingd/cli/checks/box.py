"""The box: what it says of itself, and whether its clock can be believed."""

from __future__ import annotations

from dataclasses import fields

from jwpingd.cli.checks.section import Section
from jwpingd.clock import Clock
from jwpingd.config import Config
from jwpingd.device import Device, Fact


def device(found: Device) -> Section:
    """What was read of the box, and where; what the configuration says instead is not in it."""
    rows = [("platform", found.platform, "")]
    for part in fields(found):
        fact = getattr(found, part.name)
        if isinstance(fact, Fact) or fact is None:
            rows.append((part.name, *((fact.value, fact.source) if fact else ("(not known)", ""))))
    return Section("device", ("fact", "value", "source"), tuple(rows))


def clock(config: Config) -> Section:
    """Whether the wall clock would be believed now."""
    is_local = config.collector_url.startswith("http://")
    state = Clock(trust=config.clock.trust, is_collector_local=is_local).state
    rows = (("state", state.name), ("reason", state.reason))
    if state.name == "trusted":
        return Section("clock", ("what", "value"), rows)
    hold_s = config.clock.hold_max_s
    return Section(
        "clock", ("what", "value"), rows, (f"{state.reason}: pings are held back, for {hold_s:g} s at most",)
    )
