"""Flash that is full or read-only, on real small file systems under a real daemon.

The laws: nothing is acknowledged that is not on flash; memory and flash keep to their bounds; what is
wrong is told; and the daemon takes up flash again by itself, with all that it kept.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from jwpingd.errors import AlreadyRunning, StoreError
from jwpingd.sockets import listening
from jwpingd.spool import Limits
from tests.faults.small_disk import KINDS, SmallDisk, can_mount, small_disk
from tests.processes import (
    PATIENCE_S,
    BoxUnderTest,
    CollectorProcess,
    PlayerConnection,
    check_account,
    free_port,
    wait_until,
)
from tests.spool_values import entry, ids_of, is_balanced, opened, put

MAX_BYTES = 1 << 20
MEMORY_MAX = 50
ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "x" * 400}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not can_mount() and "CI" not in os.environ, reason="file systems cannot be mounted here"
    ),
]


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    with small_disk(request.param) as mounted:
        yield mounted


@pytest.fixture
def box(disk: SmallDisk, tmp_path: Path) -> Iterator[BoxUnderTest]:
    """Its state is on the small disk, everything else is not."""
    (tmp_path / "state").symlink_to(disk.directory / "state")
    (disk.directory / "state").mkdir()
    under_test = BoxUnderTest(
        tmp_path,
        free_port(),
        f"spool.max_bytes={MAX_BYTES}",
        f"spool.memory_max={MEMORY_MAX}",
        "uplink.max_per_s=0",
        "uplink.retry_first_s=0.05",
        "uplink.retry_max_s=0.2",
    )
    yield under_test
    if under_test.process is not None and under_test.process.poll() is None:
        under_test.kill()


def test_flash_that_is_full(disk: SmallDisk, box: BoxUnderTest) -> None:
    """Acks are withheld, `status` says why, memory keeps to its bound; then all that was kept is taken."""
    box.start()
    with closing(box.connect()) as player:
        player.send_and_wait(ITEM)
        disk.fill()
        send_until_degraded(box, player)
        go_on_without_flash(box, player)
        disk.empty()
        await_flash(box, player)
    restart_and_deliver(box, disk)


def test_flash_that_is_read_only(disk: SmallDisk, box: BoxUnderTest) -> None:
    """On a file system that came up read-only no ping is acknowledged, nor lost, until it is writable.

    What was playing when the power went gets its `gab` then, and not only after the next start.
    """
    box.start()
    with closing(box.connect()) as player:
        player.send_and_wait(ITEM, {"event": "time", "position": 0, "duration": 300})
        box.kill()
    disk.remount("ro")
    box.start()
    with closing(box.connect()) as player:
        player.send(ITEM)
        wait_until(lambda: box.status()["state"] == "degraded", "flash refuses")
        go_on_without_flash(box, player)
        disk.remount("rw")
        await_flash(box, player)
    n_before, n_left_behind, n_sent = 2, 1, 1 + 2 * MEMORY_MAX + 1
    assert box.status()["accepted"] == n_before + n_left_behind + n_sent
    restart_and_deliver(box, disk)


@pytest.mark.parametrize("disk", ["ext4"], indirect=True)
def test_flash_that_turns_read_only(disk: SmallDisk, box: BoxUnderTest) -> None:
    """On a file system that turns read-only under the daemon no ping is acknowledged, nor lost.

    Such a mount stays so until the next boot repairs it; then every acknowledged ping is there.
    """
    box.start()
    with closing(box.connect()) as player:
        player.send_and_wait(ITEM)
        disk.fail()
        player.send(ITEM)
        wait_until(lambda: box.status()["state"] == "degraded", "flash refuses")
        go_on_without_flash(box, player)
    assert "Traceback" not in box.log.read_text()
    box.kill()
    disk.repair()
    box.start()
    status = box.status()
    assert (status["state"], status["accepted"], status["waiting"]) == ("running", 1, 1)
    restart_and_deliver(box, disk)


def test_a_damaged_store_that_has_no_room_for_a_second(disk: SmallDisk) -> None:
    """The newest pings are carried over, the rest counts as damage, and the store takes pings again."""
    state = disk.directory / "state"
    limits = Limits(3 << 20)
    spool = opened(state, limits)
    for number in range(1, 1001):
        put(spool, entry(number, n_bytes=2000))
    n_accepted = spool.account().accepted
    spool.close()
    with (state / "spool.db").open("r+b") as file:
        file.seek(100)
        file.write(b"x" * 412)  # the first page, and with it the table of tables
    again = opened(state, limits)
    account = again.account()
    assert is_balanced(account) and account.accepted == n_accepted
    assert account.waiting >= n_accepted // 8 and account.dropped["damage"] > n_accepted // 8
    kept = ids_of(again)
    assert kept == list(range(kept[0], 1001))
    put(again, entry(again.next_id()))
    again.close()


def test_a_damaged_store_on_a_full_disk_waits_for_room(disk: SmallDisk) -> None:
    """Room may come where others fill the file system: nothing is given up before it does."""
    state = disk.directory / "state"
    spool = opened(state)
    for number in range(1, 401):
        put(spool, entry(number, n_bytes=1000))
    spool.close()
    (state / "reserve").unlink()
    disk.fill()
    with (state / "spool.db").open("r+b") as file:
        file.seek(100)
        file.write(b"x" * 412)
    with pytest.raises(StoreError, match="is full"):
        opened(state)
    disk.empty()
    again = opened(state)
    assert again.account().waiting == 400 and is_balanced(again.account())
    again.close()


def test_one_daemon_whatever_flash_takes(disk: SmallDisk) -> None:
    """Read-only and full file systems, and overlays, keep a second daemon away as others do."""
    state = disk.directory / "state"
    state.mkdir()
    with overlay(disk.directory, lower=state) as over:
        disk.fill()
        refuse_second(state, over)
        disk.empty()
        disk.remount("ro")
        refuse_second(state, over)
        disk.remount("rw")


def refuse_second(*directories: Path) -> None:
    for directory in directories:
        lock = listening.lock(directory)
        with pytest.raises(AlreadyRunning):
            listening.lock(directory)
        os.close(lock)


@contextmanager
def overlay(directory: Path, lower: Path) -> Iterator[Path]:
    """An overlay of `lower`, with its other layers in `directory`."""
    layers = {name: directory / name for name in ("upper", "work", "over")}
    for layer in layers.values():
        layer.mkdir()
    options = f"lowerdir={lower},upperdir={layers['upper']},workdir={layers['work']}"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", layers["over"]], check=True)
    try:
        yield layers["over"]
    finally:
        subprocess.run(["umount", layers["over"]], check=True)


def go_on_without_flash(box: BoxUnderTest, player: PlayerConnection) -> None:
    """Send more than memory may hold."""
    n_before = box.status()["accepted"]
    for _ in range(2 * MEMORY_MAX):
        player.send(ITEM)
    player.send({"event": "adImpression", "id": "last"})
    wait_until(lambda: box.status()["accepted"] >= n_before + 2 * MEMORY_MAX, "all lines were read")
    status = box.status()
    assert status["state"] == status["store"]["state"] == "degraded"
    assert "full" in status["store"]["reason"] or "read-only" in status["store"]["reason"]
    assert 0 < status["store"]["n_in_memory"] <= MEMORY_MAX
    assert status["dropped"]["full"] > 0
    check_account(status)
    player.sock.setblocking(False)
    with pytest.raises(BlockingIOError):  # No ack.
        player.sock.recv(1)
    player.sock.settimeout(PATIENCE_S)


def await_flash(box: BoxUnderTest, player: PlayerConnection) -> None:
    """There is room again."""
    began_s = time.monotonic()
    assert player.reply() == {"ack": "last"}
    print(f"taken up again after {time.monotonic() - began_s:.2f} s")
    wait_until(lambda: box.status()["state"] == "running", "flash is taken up again")
    status = box.status()
    assert (status["store"]["reason"], status["store"]["n_in_memory"]) == ("", 0)
    check_account(status)


def restart_and_deliver(box: BoxUnderTest, disk: SmallDisk) -> None:
    """What waited is on flash, within its limit, and arrives."""
    player = box.connect()
    player.send_and_wait({"event": "hello", "app": {"id": "com.example.tv", "version": "1"}})
    player.close()
    n_waiting = box.status()["waiting"]
    box.kill()
    assert bytes_below(disk.directory / "state") <= MAX_BYTES
    box.start()
    assert box.status()["waiting"] == n_waiting
    collector = CollectorProcess(box.port)
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered", patience_s=60)
    check_account(box.status())
    box.stop()
    assert len({made["target"] for made in collector.stop()}) == n_waiting
    assert "Traceback" not in box.log.read_text()


def send_until_degraded(box: BoxUnderTest, player: PlayerConnection) -> None:
    """Items until flash refuses."""
    for number in range(1, 200):
        player.send(ITEM)
        wait_until(lambda n=number: box.status()["accepted"] == n + 1, "the line was read")  # type: ignore[misc]
        if box.status()["state"] == "degraded":
            return
    raise AssertionError("flash never refused")


def test_no_inodes_left(disk: SmallDisk, box: BoxUnderTest) -> None:
    """A running store needs no new file; a first start without any takes pings into memory until it can."""
    box.start()
    disk.fill_inodes()
    with closing(box.connect()) as player:
        player.send_and_wait(ITEM)
        assert box.status()["state"] == "running"
        box.stop()
        for path in (disk.directory / "state").iterdir():
            path.unlink()
        disk.empty()
        disk.fill_inodes()
    box.start()
    with closing(box.connect()) as player:
        player.send(ITEM | {"id": 1})
        wait_until(lambda: box.status()["accepted"] == 1, "the line was read")
        assert box.status()["state"] == "degraded"
        disk.empty()
        assert player.reply() == {"ack": 1}
    wait_until(lambda: box.status()["state"] == "running", "flash is taken up again")
    check_account(box.status())
    box.stop()


def bytes_below(directory: Path) -> int:
    """What the store's files take; ids and the like are a few hundred bytes and no part of it."""
    return sum(
        path.stat().st_size
        for path in directory.iterdir()
        if path.name.startswith(("spool", "reserve", "account"))
    )
