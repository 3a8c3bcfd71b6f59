"""What /proc tells of the process at the other end: collected at once, because it may be gone soon.

An unprivileged daemon may read `cgroup` and `cmdline` of another user's process, not `exe` and `root`
(proc(5)): what cannot be read is left out, and that is normal.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jwpingd.apps import cgroups, units

MAX_BYTES = 16 * 1024
"""Of one file of /proc; a command line may be far longer, and its beginning is enough."""

MAX_ARGUMENTS = 16  # the script of an interpreter stands among the first
_DELETED = " (deleted)"


class Process(NamedTuple):
    """The evidence for who a peer is.  Empty: not readable, or not there.

    `exe` is a path of the box's own file system: None also for a program of another root, a container's
    say, where the same path means another file.  `arguments` are the process's own words, no proof.
    """

    uid: int
    user: str
    exe: str | None = None
    arguments: tuple[str, ...] = ()
    cgroups: tuple[str, ...] = ()
    label: str = ""
    flatpak_info: str = ""

    @property
    def unit(self) -> str | None:
        """The innermost systemd unit, as systemd spells it."""
        return units.unit(self.cgroups)

    @property
    def command(self) -> str | None:
        """What the process calls itself: for eyes only."""
        return self.arguments[0] if self.arguments else None


def process(
    pid: int, uid: int, root: Path = Path("/"), *, is_still_there: Callable[[], bool] = lambda: True
) -> Process:
    """The evidence of the process `pid`.  Never raises: a peer that is gone is known by its user alone.

    `is_still_there` is asked when all was read: whether the pid was the peer's until then.  A process
    outside of our pid namespace has the pid 0, of which /proc knows nothing.
    """
    user = user_name(uid)
    place = root / "proc" / str(pid)
    found = Process(
        uid,
        user,
        exe=_exe(place, root),
        arguments=_arguments(place),
        cgroups=cgroups.parse(_read(place / "cgroup").decode("utf-8", "replace")),
        label=_label(place),
        flatpak_info=_read(place / "root/.flatpak-info").decode("utf-8", "replace"),
    )
    return found if is_still_there() else Process(uid, user)


def user_name(uid: int) -> str:
    """The name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def _exe(place: Path, root: Path) -> str | None:
    """The executable; a program that was updated while it runs keeps its path."""
    try:
        path = os.readlink(place / "exe").removesuffix(_DELETED)
        is_ours = os.path.samefile(place / "root", root)
    except (OSError, ValueError):
        return None
    return path if is_ours and path.startswith("/") else None


def _arguments(place: Path) -> tuple[str, ...]:
    """The command line's beginning; a process may write anything there, even nothing."""
    parts = _read(place / "cmdline").split(b"\0")[:MAX_ARGUMENTS]
    return tuple(part.decode("utf-8", "replace") for part in parts) if parts[0] else ()


def _label(place: Path) -> str:
    """The AppArmor label without its mode; the second place is that of kernels before 5.8."""
    for name in ("attr/apparmor/current", "attr/current"):
        label = _read(place / name).partition(b"\0")[0].decode("utf-8", "replace").strip()
        if label:
            return label.partition(" ")[0]
    return ""


def _read(path: Path) -> bytes:
    """The beginning of a regular file; nothing where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return b""
    try:
        with open(descriptor, "rb") as file:
            return file.read(MAX_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
