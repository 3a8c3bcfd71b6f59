"""Whether this box may tell of its users at all."""

from __future__ import annotations

from pathlib import Path

from jwpingd import identity
from jwpingd.cli.checks.section import Section
from jwpingd.config import Config
from jwpingd.events import Consent

_TITLE, _COLUMNS = "consent", ("what", "value")


def consent(state_dir: Path, config: Config) -> Section:
    """The operator's choice for the box, and what holds for players that say nothing."""
    found = identity.read_consent(state_dir)
    rows = (
        ("of the box", found.level.value if found.is_chosen else f"{found.level.value} (nobody opted out)"),
        ("of players that say nothing", config.privacy.consent.value),
    )
    if found.fault:
        way_out = "choose again: jwpingd identity opt-in, or opt-out"
        return Section(_TITLE, _COLUMNS, rows, failures=(f"{found.fault}: no ping is made; {way_out}",))
    if found.level is Consent.FULL:
        return Section(_TITLE, _COLUMNS, rows)
    what = "no ping is made" if found.level is Consent.NONE else "pings carry no ids"
    return Section(
        _TITLE, _COLUMNS, rows, (f"the box is opted out: {what}; jwpingd identity opt-in ends that",)
    )
