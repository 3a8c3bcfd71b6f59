"""A real small file system in a directory, to be filled up, mounted read-only, and taken away again."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KINDS = ("ext4", "tmpfs")


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted file system."""

    directory: Path

    @property
    def _filler(self) -> Path:
        return self.directory / "filler"

    def fill(self) -> None:
        """Leave not a byte."""
        with self._filler.open("ab", buffering=0) as file:
            for n_bytes in (1 << 16, 1 << 10, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * n_bytes)

    def fill_inodes(self) -> None:
        """Leave space but no room for another file."""
        self._filler.mkdir()
        with contextlib.suppress(OSError):
            for number in range(1 << 20):
                (self._filler / str(number)).touch()

    def empty(self) -> None:
        """Have room again."""
        if self._filler.is_dir():
            shutil.rmtree(self._filler)
        else:
            self._filler.unlink()

    def remount(self, option: str) -> None:
        """With `ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{option}", self.directory], check=True)


@contextlib.contextmanager
def small_disk(kind: str, size_mib: int = 4, n_inodes: int = 128) -> Iterator[SmallDisk]:
    """One of `KINDS`.  Raises OSError or CalledProcessError where file systems cannot be mounted."""
    with tempfile.TemporaryDirectory(prefix="small-disk-") as name:
        home, mounted = Path(name), Path(name) / "disk"
        mounted.mkdir()
        command = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={size_mib}m,nr_inodes={n_inodes}",
            "small",
            str(mounted),
        ]
        if kind == "ext4":
            image = home / "image"
            image.touch()
            os.truncate(image, size_mib << 20)
            subprocess.run(["mkfs.ext4", "-q", "-N", str(n_inodes), "-m", "0", str(image)], check=True)
            command = ["mount", "-o", "loop", str(image), str(mounted)]
        subprocess.run(command, check=True, stderr=subprocess.PIPE)
        try:
            yield SmallDisk(mounted)
        finally:
            subprocess.run(["umount", "-l", str(mounted)], check=True)


def can_mount() -> bool:
    """Whether this machine lets us."""
    if os.geteuid() != 0 or shutil.which("mount") is None or shutil.which("mkfs.ext4") is None:
        return False
    try:
        with small_disk("ext4"), small_disk("tmpfs"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
