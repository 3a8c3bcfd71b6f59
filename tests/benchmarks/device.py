"""A loop device with an ext4 of its own, where nobody else writes, and how many bytes it was given."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.bench import Bench

_SECTOR_BYTES = 512
KB = 1000


class Device(NamedTuple):
    """`directory` is its file system's, `name` its own in /sys/block."""

    directory: Path
    name: str

    def kb_of(self, act: Callable[[], None]) -> float:
        """What reaches the device because of `act`, the file system's journal included."""
        self._sync()
        before = self._written_bytes()
        act()
        self._sync()
        return (self._written_bytes() - before) / KB

    def _written_bytes(self) -> int:
        """Sectors written, by Documentation/block/stat.rst of the kernel."""
        return int(Path(f"/sys/block/{self.name}/stat").read_text().split()[6]) * _SECTOR_BYTES

    def _sync(self) -> None:
        """Of this file system alone: others on the machine may have much to write."""
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            assert ctypes.CDLL(None).syncfs(descriptor) == 0, "syncfs failed"
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def loop_device(bench: Bench) -> Iterator[Device]:
    """Raises CalledProcessError where there can be none."""
    image, directory = bench.directory / "flash.img", bench.fresh("flash")
    with image.open("wb") as file:
        file.truncate(512 << 20)
    device = _run("losetup", "--find", "--show", str(image))
    try:
        _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", device)
        _run("mount", "-o", "noatime", device, str(directory))
        try:
            yield Device(directory, Path(device).name)
        finally:
            _run("umount", str(directory))
    finally:
        _run("losetup", "--detach", device)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True).stdout.decode().strip()
