"""What can be found out about players that do not say which app they are, on this box, as this service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jwpingd import apps
from jwpingd.apps import Files, packages
from jwpingd.cli.checks.section import Section
from jwpingd.config import Config
from jwpingd.sockets.credentials import has_pidfd

_HIDDEN = "/proc hides other users' processes (hidepid=, ProtectProc=): players are known by their user alone"


def evidence(config: Config, state_dir: Path, root: Path = Path("/")) -> Section:
    """Which evidence works for the user who owns the state directory, tried with another user's process."""
    uid = _owner(state_dir)
    proc = root / "proc"
    with _acting_as(uid):
        is_hidden = not (proc / "1").exists()
        process = None if is_hidden else _process_of_another(proc)
        can = {
            "unit": not is_hidden and (process is None or _is_readable(process / "cgroup")),
            "exe": not is_hidden and (process is None or _has_link(process / "exe")),
        }
    untried = "" if process or is_hidden else ", but not tried: no other user's process runs"
    has_units = "" if (root / "run/systemd/system").exists() else "; no systemd runs here, so no units"
    rows = (
        ("looked at as", apps.user_name(uid), ""),
        ("same process", "exactly" if has_pidfd() else "by its start time", "a pid that is used again"),
        ("user", "yes", "match.user"),
        ("cgroup", _in_words(can["unit"]) + untried + has_units, "match.unit; Flatpak, snap, container"),
        ("exe", _in_words(can["exe"]) + untried, "match.exe; the executable's package"),
        (
            "packages",
            ", ".join(packages.databases(Files(root))) or "none",
            "the versions of units and executables",
        ),
    )
    warnings = (*((_HIDDEN,) if is_hidden else ()), *_idle_conditions(config, can))
    return Section("apps", ("evidence", "works", "for"), rows, warnings)


def _in_words(works: bool) -> str:
    return "yes" if works else "no: it takes root or CAP_SYS_PTRACE"


def _idle_conditions(config: Config, can: dict[str, bool]) -> Iterator[str]:
    for position, rule in enumerate(config.apps):
        for key in rule.match:
            if not can.get(key, True):
                yield f"apps[{position}].match.{key} holds for no player of another user"


def _process_of_another(proc: Path) -> Path | None:
    """The first process of another user that is no thread of the kernel, which has no command line."""
    mine = os.geteuid()
    for name in sorted(filter(str.isdecimal, os.listdir(proc)), key=int):
        try:
            if (proc / name).stat().st_uid != mine and (proc / name / "cmdline").read_bytes():
                return proc / name
        except OSError:
            continue  # It has ended.
    return None


def _is_readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def _has_link(path: Path) -> bool:
    try:
        path.readlink()
    except OSError:
        return False
    return True


def _owner(directory: Path) -> int:
    """The user whose daemon this directory is for; whoever asks where it is not there yet."""
    try:
        return directory.stat().st_uid
    except OSError:
        return os.geteuid()


@contextmanager
def _acting_as(uid: int) -> Iterator[None]:
    """With the rights of `uid`, if we are root: what root may read tells nothing of the service."""
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
