"""Wheels without an index: ours built from the sources, and what it needs from what is installed here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
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
