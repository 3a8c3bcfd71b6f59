"""Which program is at the other end of the socket: evidence of the kernel, matched with the configuration.

What a player says of itself in `hello` comes first; this is for players that say nothing (ping
interface §8).  `root` stands for `/`, so that tests can bring a process table of their own.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """What is known of a peer.  None: not readable, which is normal for an unprivileged daemon."""

    user: str
    exe: str | None = None
    unit: str | None = None


def program(pid: int, uid: int, root: Path = Path("/")) -> Program:
    """Look the process up.  Never raises: a peer that is gone already is known by its user alone."""
    process = root / "proc" / str(pid)
    return Program(user_name(uid), _exe(process), _unit(process))


def user_name(uid: int) -> str:
    """The name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def matches(match: Mapping[str, str], peer: Program, claimed_app: str | None) -> bool:
    """Whether all of an `[[apps]]` entry's conditions hold for this peer."""
    known = {"exe": peer.exe, "unit": peer.unit, "user": peer.user, "app": claimed_app}
    return all(known[key] == wanted for key, wanted in match.items())


def _exe(process: Path) -> str | None:
    try:
        return os.readlink(process / "exe").removesuffix(" (deleted)")
    except OSError:
        return None


def _unit(process: Path) -> str | None:
    """The innermost systemd unit in the peer's cgroup path, v2 or v1."""
    try:
        lines = (process / "cgroup").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        parts = line.rpartition(":")[2].split("/")
        unit = next((part for part in reversed(parts) if part.endswith((".service", ".scope"))), None)
        if unit is not None:
            return unit
    return None
