"""A small file system of its own for the state directory, to be filled and frozen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.systemd.box import STATE, run, status, systemctl, wait_until
from tests.systemd.player import Player


@contextlib.contextmanager
def flash_of_its_own() -> Iterator[None]:
    """The daemon with a small ext4 of its own as state directory, delivered and taken away at the end."""
    systemctl("stop", "jwpingd.service")
    ext4(STATE, n_mib=8)
    systemctl("start", "jwpingd.service")
    try:
        yield
        wait_until(lambda: status()["waiting"] == 0, "all that was on it is delivered")
    finally:
        systemctl("stop", "jwpingd.service")
        run("umount", str(STATE))
        systemctl("start", "jwpingd.service")


def fill_to_the_reserve(player: Player) -> None:
    """Events until the room that the store keeps for itself is used up too."""
    item = {"event": "playlistItem", "mediaid": "9u6OHIO4"}
    for number in range(400):
        player.send({**item, "title": f"{number} {1000 * 'x'}"})


def ext4(mount_point: Path, n_mib: int) -> None:
    """A small file system of its own at `mount_point`, which can be filled and frozen."""
    image = Path("/tmp/flash.img")
    with image.open("wb") as file:
        file.truncate(n_mib << 20)
    run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-O", "^has_journal", str(image))
    if not os.path.exists("/dev/loop-control"):
        os.mknod("/dev/loop-control", 0o20600, os.makedev(10, 237))
    number = int(run("losetup", "-f").strip().removeprefix("/dev/loop"))
    if not os.path.exists(f"/dev/loop{number}"):
        os.mknod(f"/dev/loop{number}", 0o60600, os.makedev(7, number))
    run("mount", "-o", f"loop=/dev/loop{number}", str(image), str(mount_point))
