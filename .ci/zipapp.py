"""Builds one file that holds jwpingd and all that it needs, for any Python >= 3.11 and any CPU.

    .venv/bin/python .ci/zipapp.py jwpingd.pyz

What it needs is taken from where this Python has it installed.  The same input gives the same bytes:
entries are sorted, and their times are pinned.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
SHEBANG = b"#!/usr/bin/env python3\n"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
PYTHONS = ("3.11", "3.12", "3.13", "3.14")  # what any of these needs goes in

MAIN = b'''\
"""jwpingd, run from one file."""

import os
import sys

if sys.version_info < (3, 11):
    sys.exit("jwpingd needs Python 3.11 or newer, this is " + sys.version.split()[0])

# `jwpingd demo` starts `python -m jwpingd` again.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (sys.path[0], os.environ.get("PYTHONPATH"))))

from jwpingd.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
'''


def needed_by(name: str) -> list[Distribution]:
    """The installed distributions that `name` needs on Linux, directly or not, sorted by name."""
    found: dict[str, Distribution] = {}
    unread = [Requirement(text) for text in importlib.metadata.requires(name) or ()]
    while unread:
        requirement = unread.pop()
        key = canonicalize_name(requirement.name)
        if key in found or not _applies(requirement):
            continue
        found[key] = importlib.metadata.distribution(requirement.name)
        unread += [Requirement(text) for text in found[key].requires or ()]
    return [found[key] for key in sorted(found)]


def files_of(distribution: Distribution) -> Iterator[tuple[str, bytes]]:
    """What a distribution runs with, and the licence it comes under; no tests, no compiled code."""
    for file in distribution.files or ():
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or "__pycache__" in path.parts or "_tests" in path.parts:
            continue
        if path.suffix == ".so":
            raise SystemExit(f"{distribution.name}: {path} runs on one kind of CPU only")
        if path.parts[0].endswith(".dist-info"):
            if path.name.startswith(("LICENSE", "LICENCE", "COPYING")):
                yield str(path), file.locate().read_bytes()
        elif path.suffix in (".py", ".pem", ".typed"):
            yield str(path), file.locate().read_bytes()


def _applies(requirement: Requirement) -> bool:
    if requirement.marker is None:
        return True
    environments = (
        {"python_version": python, "python_full_version": f"{python}.0", "extra": ""} for python in PYTHONS
    )
    return any(requirement.marker.evaluate(environment) for environment in environments)


def _own_files() -> Iterator[tuple[str, bytes]]:
    """The package as it is in the repository, with what its links lead to."""
    for directory, _names, files in os.walk(REPOSITORY / "jwpingd", followlinks=True):
        for file in files:
            path = Path(directory, file)
            if path.suffix != ".pyc":
                yield path.relative_to(REPOSITORY).as_posix(), path.read_bytes()


def pack(entries: dict[str, bytes], head: bytes = b"") -> bytes:
    """A zip file, after `head`, whose bytes depend on these alone."""
    packed = io.BytesIO()
    packed.write(head)
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name], compresslevel=9)
    return packed.getvalue()


def build(target: Path) -> None:
    """Write the one file."""
    entries = {"__main__.py": MAIN} | dict(_own_files())
    for distribution in needed_by("jwpingd"):
        entries.update(files_of(distribution))
    target.write_bytes(pack(entries, head=SHEBANG))
    target.chmod(0o755)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} FILE")
    build(Path(sys.argv[1]))
