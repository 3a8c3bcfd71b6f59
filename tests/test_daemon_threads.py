"""Threads that hang, as look-ups of names may for minutes, and the commits that need one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from jwpingd.daemon.threads import run_in_thread
from tests.processes import BoxUnderTest, free_port, wait_until


@pytest.mark.slow
def test_names_that_hang_leave_a_thread_for_commits() -> None:
    """All the threads that trio lends are gone for good, and work on the store is done all the same."""
    answer = threading.Event()

    async def main() -> None:
        n_threads = int(trio.to_thread.current_default_thread_limiter().total_tokens)
        async with trio.open_nursery() as nursery:
            for _ in range(n_threads):
                nursery.start_soon(partial(trio.to_thread.run_sync, answer.wait, abandon_on_cancel=True))
            await trio.testing.wait_all_tasks_blocked()
            with trio.fail_after(20):
                assert await run_in_thread(lambda: "committed") == "committed"
            nursery.cancel_scope.cancel()

    try:
        trio.run(main)
    finally:
        answer.set()


def test_a_thread_that_cannot_be_had_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A system out of threads delays what needs one, is told once, and ends nothing."""
    n_refused = 0

    async def run_sync(work: Callable[[], str], **_options: Any) -> str:
        nonlocal n_refused
        n_refused += 1
        if n_refused <= 3:
            raise RuntimeError("can't start new thread")
        return work()

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(run_in_thread, lambda: "committed", clock=clock) == "committed"
    assert [record.message for record in caplog.records] == [
        "can't start new thread (see TasksMax, ulimit -u, memory): waiting for one"
    ]


def test_an_error_of_the_work_is_no_want_of_threads() -> None:
    """What the work raises comes out at once, whatever its kind."""

    def work() -> None:
        raise RuntimeError("of the work")

    with pytest.raises(RuntimeError, match="of the work"):
        trio.run(run_in_thread, work)


@pytest.mark.slow
def test_a_thread_that_is_left_behind_does_not_see_the_end(tmp_path: Path) -> None:
    """While one reads certificates the process ends without `exit`, which would take OpenSSL's locks away."""
    certificates = tmp_path / "ca.pem"
    os.mkfifo(certificates)
    settings = "collector_url=https://127.0.0.1:9", f"tls.ca_file={certificates}"
    box = BoxUnderTest(tmp_path, free_port(), *settings)
    at_exit = "import atexit, os, sys, jwpingd.cli; atexit.register(os._exit, 9)"
    box.program = [sys.executable, "-c", f"{at_exit}; sys.exit(jwpingd.cli.main())"]
    box.start()
    player = box.connect()
    player.send_and_wait({"event": "playlistItem", "mediaid": "9u6OHIO4"})
    player.close()
    ends: list[int] = []

    def is_read() -> bool:
        with suppress(OSError):  # Nobody opens it yet.
            ends.append(os.open(certificates, os.O_WRONLY | os.O_NONBLOCK))
        return bool(ends)

    wait_until(is_read, "the certificates are being read")
    box.stop()
    os.close(ends[0])
