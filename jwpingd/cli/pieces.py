"""What `install` puts into a root file system, and where: one table.

The contents are the repository's `systemd/` and `config/`, which the package carries in `shipped/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import NamedTuple

CONFIGURATION = "/etc/jwpingd/config.toml"
PART_FILES = "/etc/jwpingd/conf.d"

_UNITS = "/usr/lib/systemd/system"
_SHIPPED_COMMAND = b"\nExecStart=/usr/bin/jwpingd run\n"


class Piece(NamedTuple):
    """One file: its absolute path on the box and its content.  `is_operators`: to be changed there."""

    path: str
    content: bytes
    is_operators: bool = False


def pieces(command: str, *, has_kernel_clock: bool) -> Iterator[Piece]:
    """All there is to put; the service is to start `command`, an absolute path and perhaps arguments."""
    yield Piece(CONFIGURATION, _shipped("config/jwpingd.toml"), is_operators=True)
    yield Piece("/usr/lib/sysusers.d/jwpingd.conf", _shipped("systemd/sysusers.conf"))
    yield Piece("/usr/lib/tmpfiles.d/jwpingd.conf", _shipped("systemd/tmpfiles.conf"))
    yield Piece(f"{_UNITS}/jwpingd.socket", _shipped("systemd/jwpingd.socket"))
    yield Piece(f"{_UNITS}/jwpingd.service", _starting(_shipped("systemd/jwpingd.service"), command))
    if has_kernel_clock:
        drop_in = f"{_UNITS}/jwpingd.service.d/kernel-clock.conf"
        yield Piece(drop_in, _shipped("systemd/kernel-clock.conf"))


def _starting(unit: bytes, command: str) -> bytes:
    assert _SHIPPED_COMMAND in unit, "the unit file has the line that is replaced here"
    # In a unit file a percent sign begins a specifier, a dollar sign a variable.
    line = f"\nExecStart={command.replace('%', '%%').replace('$', '$$')} run\n"
    return unit.replace(_SHIPPED_COMMAND, line.encode())


def _shipped(name: str) -> bytes:
    return resources.files("jwpingd.cli").joinpath("shipped", *name.split("/")).read_bytes()
