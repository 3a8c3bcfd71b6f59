"""Threads that hang, as look-ups of names may for minutes, and the commits that need one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from jwpingd.daemon.threads import run_in_thread


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
