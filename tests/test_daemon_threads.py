"""Threads that hang, as look-ups of names may for minutes, and the commits that need one."""

from __future__ import annotations

import threading
from functools import partial

import pytest
import trio
import trio.testing

from jwpingd.daemon.assembly import run_in_thread


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
