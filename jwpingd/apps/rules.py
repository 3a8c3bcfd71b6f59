"""Whether a condition of the operator's `[[apps]]` holds for a peer."""

from __future__ import annotations

from collections.abc import Mapping

from jwpingd.apps import units
from jwpingd.apps.process import Process


def matches(match: Mapping[str, str], process: Process, app_id: str | None) -> bool:
    """Whether all of an entry's conditions hold.  `app_id` was detected, or the player says it.

    `exe` is the kernel's word alone: what a process calls itself never counts.
    """
    return all(wanted in _known(key, process, app_id) for key, wanted in match.items())


def _known(key: str, process: Process, app_id: str | None) -> set[str | None]:
    if key == "unit":
        return set(units.names(process.unit)) if process.unit else set()
    if key == "user":
        return {process.user, str(process.uid)}
    return {process.exe} if key == "exe" else {app_id}
