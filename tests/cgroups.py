"""Cgroups of this machine for tests: where one can be made, and a process that lives in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def hierarchy() -> Path:
    """Where cgroups are made that /proc/PID/cgroup tells of: version 2, else systemd's of version 1."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    places = {
        2 if "cgroup2" in fields else 1: Path(fields[4])
        for fields in mounts
        if "cgroup2" in fields or fields[-1].endswith("name=systemd")
    }
    if not places:
        pytest.skip("no cgroup file system is mounted here")
    return places[max(places)]


@contextmanager
def made(path: str) -> Iterator[Path]:
    """A cgroup, and those above it as needed; removed at the end, when no process is in it any more."""
    top = hierarchy()
    missing = [place for place in [top / path, *(top / path).parents] if not place.exists()]
    try:
        (top / path).mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        pytest.skip(f"no cgroup can be made below {top}: {exc.strerror}")
    try:
        yield top / path
    finally:
        for place in missing:
            with contextlib.suppress(OSError):  # Another test may have made its own next to ours.
                os.rmdir(place)
