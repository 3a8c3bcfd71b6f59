"""Wheels without an index: ours built from the sources, and what it needs from what is installed here."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
ZIPAPP = REPOSITORY / ".ci/zipapp.py"
_SOURCES = ("pyproject.toml", "README.md", "jwpingd", "systemd", "config")


def build(directory: Path) -> Path:
    """The wheel of this repository, in `directory`; built from a copy, as pip leaves things behind."""
    sources = directory / "sources"
    sources.mkdir(parents=True)
    for name in _SOURCES:
        if (REPOSITORY / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, sources / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(REPOSITORY / name, sources / name)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "-w", directory, sources], check=True, capture_output=True)
    (wheel,) = directory.glob("jwpingd-*.whl")
    return wheel


def house(directory: Path) -> None:
    """A directory for PIP_FIND_LINKS: wheels of all that ours needs, packed from what is installed here."""
    zipapp = runpy.run_path(str(ZIPAPP))
    directory.mkdir(parents=True)
    for distribution in zipapp["needed_by"]("jwpingd"):
        entries = {
            str(file): file.locate().read_bytes()
            for file in distribution.files
            if ".." not in file.parts and "__pycache__" not in file.parts
        }
        name = f"{distribution.name.replace('-', '_')}-{distribution.version}-py3-none-any.whl"
        (directory / name).write_bytes(zipapp["pack"](entries))
