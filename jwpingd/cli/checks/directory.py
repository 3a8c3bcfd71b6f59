"""The state directory: whether pings can be stored there, and who else can reach them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from jwpingd.cli.checks.section import Section

_KIB = 1024
_TITLE, _COLUMNS = "state directory", ("what", "value")


def state_directory(directory: Path, max_bytes: int) -> Section:
    """Whether the user who asks can store pings there.  `max_bytes` is the spool's limit."""
    try:
        status = directory.stat()
    except FileNotFoundError:
        return _missing(directory)
    except OSError as exc:
        return Section(_TITLE, _COLUMNS, failures=(f"{directory}: {exc.strerror}",))
    if not stat.S_ISDIR(status.st_mode):
        return Section(_TITLE, _COLUMNS, failures=(f"{directory} is not a directory",))
    space = os.statvfs(directory)
    free_bytes = space.f_bavail * space.f_frsize
    size_bytes = (space.f_blocks - space.f_bfree + space.f_bavail) * space.f_frsize
    rows = (
        ("path", str(directory)),
        ("mode", f"{stat.S_IMODE(status.st_mode):04o}"),
        ("owner", str(status.st_uid)),
        ("free", f"{free_bytes // _KIB} KiB"),
    )
    shortages = _shortages(directory, free_bytes, size_bytes, max_bytes)
    warnings = (*_exposures(directory, status.st_mode), *shortages)
    return Section(_TITLE, _COLUMNS, rows, warnings, tuple(_refusals(directory)))


def _missing(directory: Path) -> Section:
    rows = (("path", str(directory)), ("state", "not there yet; run makes it"))
    parent = next(parent for parent in directory.parents if os.path.lexists(parent))
    if os.access(parent, os.W_OK | os.X_OK):
        return Section(_TITLE, _COLUMNS, rows)
    return Section(
        _TITLE, _COLUMNS, rows, failures=(f"{directory} cannot be made: no right to write {parent}",)
    )


def _exposures(directory: Path, mode: int) -> Iterator[str]:
    if mode & stat.S_IWOTH:
        yield f"{directory} is writable by everybody: anybody can forge or delete pings; chmod 700 it"
    if mode & stat.S_IROTH:
        yield f"{directory} is readable by everybody: it holds what was watched; chmod 700 it"


def _shortages(directory: Path, free_bytes: int, size_bytes: int, max_bytes: int) -> Iterator[str]:
    if free_bytes < max_bytes - _taken_bytes(directory):
        lack = f"only {free_bytes} bytes are free at {directory}, and spool.max_bytes is {max_bytes}"
        yield f"{lack}; make room, or set it lower"
    if size_bytes < 2 * max_bytes:
        lack = f"the file system of {directory} has {size_bytes} bytes, and spool.max_bytes is {max_bytes}"
        yield f"{lack}: a damaged store needs twice that to be carried over whole; set it lower"


def _taken_bytes(directory: Path) -> int:
    """What the store has already; 0 for who may not see it."""
    try:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in os.scandir(directory))
    except OSError:
        return 0


def _refusals(directory: Path) -> Iterator[str]:
    if not os.access(directory, os.W_OK | os.X_OK):
        refusal = f"{directory} is not writable for user {os.geteuid()}: pings would stay in memory"
        yield f"{refusal}; give it to the user that runs jwpingd"
