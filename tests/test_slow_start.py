"""A store that takes long to open: systemd is asked for time, and a stop does not wait."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

from jwpingd.clock import Clock
from jwpingd.config import Config
from jwpingd.daemon import Daemon, assembly
from jwpingd.daemon.store_life import ASK_FOR_TIME_EVERY_S, MORE_TIME_S
from jwpingd.sockets import listening
from jwpingd.sockets.door import Door
from tests.inline import run_inline
from tests.processes import ANALYTICS_ID

T = TypeVar("T")


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The other end of $NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


def told(supervisor: socket.socket) -> list[str]:
    messages = list[str]()
    while True:
        try:
            messages.append(supervisor.recv(4096).decode())
        except BlockingIOError:
            return messages


def a_daemon(directory: Path, opens_after_s: float) -> Daemon:
    async def run_slowly(work: Callable[[], T], /) -> T:
        if trio.current_time() < began_s + opens_after_s:
            await trio.sleep_until(began_s + opens_after_s)
        return await run_inline(work)

    began_s = trio.current_time()
    config = Config(ANALYTICS_ID, collector_url="http://127.0.0.1:9")
    return Daemon(
        config,
        directory,
        read_config=lambda: config,
        clock=Clock(trust="always"),
        box=assembly.box(config, directory),
        run_blocking=run_slowly,
        look_up=run_inline,
    )


def run(directory: Path, opens_after_s: float, stop_after_s: float) -> float:
    """How many virtual seconds the daemon ran on after `stop`."""

    async def main() -> float:
        daemon = a_daemon(directory, opens_after_s)
        players = listening.bind(directory / "player.sock", mode=0o600, group=None)
        operators = listening.bind(directory / "control.sock", mode=0o600, group=None)
        with closing(players), closing(operators):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(daemon.run, Door(players), Door(operators))
                await trio.sleep(stop_after_s)
                daemon.stop()
                stopped_s = trio.current_time()
        return trio.current_time() - stopped_s

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def test_systemd_is_asked_for_time(tmp_path: Path, supervisor: socket.socket) -> None:
    """Until the store is open EXTEND_TIMEOUT_USEC goes out again and again, in good time; then READY."""
    run(tmp_path, opens_after_s=12, stop_after_s=13)
    messages = told(supervisor)
    more = f"EXTEND_TIMEOUT_USEC={MORE_TIME_S * 1e6:.0f}"
    assert [message.split("\n")[0] for message in messages[:3]] == [more, more, "READY=1"]
    assert messages[0].endswith("STATUS=opening the store for 5 s now")
    assert MORE_TIME_S > 2 * ASK_FOR_TIME_EVERY_S


def test_a_stop_does_not_wait_for_the_store(tmp_path: Path) -> None:
    """SIGTERM while the store hangs in the kernel: gone within two seconds all the same."""
    assert run(tmp_path, opens_after_s=1000, stop_after_s=3) <= 2
