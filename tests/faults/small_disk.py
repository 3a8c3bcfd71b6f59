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
    """A mounted file system.  `source` is what was mounted: the image of an ext4, or a mere name."""

    directory: Path
    source: Path
    mount: tuple[str | Path, ...]

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

    def fail(self) -> None:
        """ext4 alone: let it find an error, as on worn flash; from now on the mount is read-only."""
        find = ["findmnt", "-no", "SOURCE", str(self.directory)]
        device = subprocess.run(find, check=True, capture_output=True, text=True).stdout.strip()
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("a test of jwpingd\n")

    def repair(self) -> None:
        """What the next boot does after that.  Nobody may have files open."""
        subprocess.run(["umount", self.directory], check=True)
        checked = subprocess.run(["e2fsck", "-fy", self.source], stdout=subprocess.DEVNULL)
        assert checked.returncode == 1  # Errors were corrected.
        subprocess.run(self.mount, check=True)

    def remount(self, option: str) -> None:
        """With `ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{option}", self.directory], check=True)


@contextlib.contextmanager
def small_disk(kind: str, size_mib: int = 4, n_inodes: int = 128) -> Iterator[SmallDisk]:
    """One of `KINDS`.  Raises OSError or CalledProcessError where file systems cannot be mounted."""
    with tempfile.TemporaryDirectory(prefix="small-disk-") as name:
        home, mounted = Path(name), Path(name) / "disk"
        mounted.mkdir()
        image, options = Path("small"), f"size={size_mib}m,nr_inodes={n_inodes}"
        if kind == "ext4":
            image, options = home / "image", "loop,errors=remount-ro"
            image.touch()
            os.truncate(image, size_mib << 20)
            subprocess.run(["mkfs.ext4", "-q", "-N", str(n_inodes), "-m", "0", image], check=True)
        disk = SmallDisk(mounted, image, ("mount", "-t", kind, "-o", options, image, mounted))
        subprocess.run(disk.mount, check=True, stderr=subprocess.PIPE)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", mounted], check=True)


def can_mount() -> bool:
    """Whether this machine lets us."""
    if os.geteuid() != 0 or shutil.which("mount") is None or shutil.which("mkfs.ext4") is None:
        return False
    try:
        with small_disk("ext4"), small_disk("tmpfs"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
