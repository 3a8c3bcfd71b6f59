"""A socket's file that is removed while the daemon runs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from jwpingd.daemon import doors
from jwpingd.errors import OperatorError
from jwpingd.sockets import listening
from jwpingd.sockets.door import Door
from jwpingd.sockets.removal import wait_removed
from tests.processes import BoxUnderTest, CollectorProcess, free_port, wait_until


def bound(path: Path) -> socket.socket:
    return listening.bind(path, mode=0o600, group=None)


def door_at(path: Path) -> Door:
    return Door(bound(path), str(path), lambda: bound(path))


def replace(path: Path) -> None:
    with bound(path.with_name("other")):
        path.with_name("other").rename(path)


@pytest.mark.parametrize(
    "remove", [Path.unlink, lambda path: path.rename(path.with_name("x")), replace], ids=["rm", "mv", "over"]
)
def test_a_removal_is_told(tmp_path: Path, remove: Callable[[Path], object]) -> None:
    """However the name is lost, whoever waits for it wakes up; what only changes the mode wakes nobody."""

    async def main() -> None:
        path = tmp_path / "s"
        with bound(path):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait_removed, str(path))
                await trio.testing.wait_all_tasks_blocked()
                path.chmod(0o666)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert nursery.child_tasks
                remove(path)

    trio.run(main)


def test_a_name_that_is_gone_already_is_told_at_once(tmp_path: Path) -> None:
    """Who begins to wait for a removal when the file is gone already is told at once."""
    trio.run(wait_removed, str(tmp_path / "s"))


def test_who_waits_at_the_door_is_served_after_it_moved(tmp_path: Path) -> None:
    """The one who accepts goes on at the new socket and need not know."""

    async def main() -> None:
        path = tmp_path / "s"
        door = door_at(path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(doors.keep_open, door)
            for _ in range(2):
                path.unlink()
                with trio.fail_after(20):
                    while not path.exists():  # noqa: ASYNC110 - it is the file that is waited for
                        await trio.sleep(0.01)
                with socket.socket(socket.AF_UNIX) as player:
                    player.connect(str(path))
                    with trio.fail_after(20):
                        listener = await door.wait_somebody()
                    listener.accept()[0].close()
            listener.close()
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_place_that_cannot_be_had_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A place that cannot be had is told once, tried again, and told once more when players can connect."""
    refusals = [OperatorError("cannot listen"), OperatorError("cannot listen")]

    listeners = [bound(tmp_path / "s")]

    def bind() -> socket.socket:
        if refusals:
            raise refusals.pop()
        listeners.append(bound(tmp_path / "s"))
        return listeners[-1]

    async def main() -> None:
        door = Door(listeners[0], str(tmp_path / "s"), bind)
        (tmp_path / "s").unlink()
        with trio.move_on_after(100):
            await doors.keep_open(door)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    listeners[-1].close()
    assert [message.partition("'")[2].partition("'")[2] for message in caplog.messages] == [
        " was removed: cannot listen; trying again every 30 s",
        " was removed, and is there again; keep cleaners from it",
    ]


def test_systemds_socket_is_left_to_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was handed to us cannot be bound by us: the way out is told."""
    with socket.socket(socket.AF_UNIX) as listener:
        trio.run(doors.keep_open, Door(listener, str(tmp_path / "s")))
    assert "its unit is restarted" in caplog.text


@pytest.fixture
def box(tmp_path: Path) -> Iterator[BoxUnderTest]:
    under_test = BoxUnderTest(tmp_path, free_port(), "uplink.max_per_s=0")
    yield under_test
    if under_test.process is not None and under_test.process.poll() is None:
        under_test.kill()


@pytest.mark.slow
def test_the_directory_of_the_sockets_may_be_cleared(box: BoxUnderTest) -> None:
    """rm -r of it under a running daemon: who is connected plays on, others connect, operators ask."""
    collector = CollectorProcess(box.port)
    box.start()
    inside = box.connect()
    item = {"event": "playlistItem", "mediaid": "9u6OHIO4"}
    inside.send_and_wait(item)
    for _ in range(2):
        shutil.rmtree(box.directory / "run")
        wait_until(box.player_socket.exists, "the players' socket is there again")
        wait_until((box.directory / "run/control.sock").exists, "the operators' socket is there again")
        player = box.connect()
        player.send_and_wait(item)
        player.close()
    inside.send_and_wait(item)
    inside.close()
    wait_until(lambda: box.status()["waiting"] == 0 == len(box.status()["clients"]), "all was delivered")
    assert box.process is not None
    os.kill(box.process.pid, signal.SIGTERM)
    assert box.process.wait(20) == 0
    assert len({ping["target"] for ping in collector.stop()}) == 4
