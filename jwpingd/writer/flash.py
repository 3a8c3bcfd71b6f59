"""The spool in its thread: used by one at a time, and never waited for longer than the process lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import trio

from jwpingd.spool import Account, Checkpoint, Spool

T = TypeVar("T")


class RunBlocking(Protocol):
    """`trio.to_thread.run_sync`, or in tests on the mock clock a call inline."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


class Flash:
    """Opens the spool at its first use.  Whoever uses it holds `lock`.

    `account` is that of the last use.  From the first use on, `last_id` is the highest id that the store
    had then, and `left_behind` are the plays of the run before.
    """

    def __init__(self, open_spool: Callable[[], Spool], run_blocking: RunBlocking) -> None:
        self._open_spool = open_spool
        self._run_blocking = run_blocking
        self._spool: Spool | None = None
        self._scope = trio.CancelScope()
        self._since_s: float | None = None
        self._is_abandoned = False
        self.lock = trio.Lock()
        self.account = Account()
        self.last_id: int | None = None
        self.left_behind: list[Checkpoint] = []

    async def use(self, work: Callable[[Spool], T]) -> T:
        """Do `work` with the spool.  Raises StoreError."""
        result, self.account = await self._in_thread(lambda: self._do(work))
        return result

    async def close(self) -> None:
        """Close it in good order.  Raises StoreError; what is durable is safe all the same."""
        if self._spool is not None:
            await self._in_thread(self._spool.close)

    def abandon(self) -> None:
        """Wait no longer for what is under way in the thread; only for a process that ends."""
        self._is_abandoned = True
        self._scope.shield = False

    @property
    def busy_s(self) -> float:
        """How long the call that is under way has taken so far; 0 without one."""
        return 0.0 if self._since_s is None else trio.current_time() - self._since_s

    def take_repairs(self) -> list[str]:
        """What had to be put right in the store since the last call, in sentences."""
        if self._spool is None or not self._spool.repairs:
            return []
        repairs = list(self._spool.repairs)
        self._spool.repairs.clear()
        return repairs

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Not to be cancelled: the spool is in use until the thread is done."""
        assert self.lock.locked()
        self._since_s = trio.current_time()
        try:
            with trio.CancelScope(shield=not self._is_abandoned) as self._scope:
                return await self._run_blocking(work)
        finally:
            self._since_s = None
        raise AssertionError("nobody cancels this scope itself")

    def _do(self, work: Callable[[Spool], T]) -> tuple[T, Account]:
        """In the thread."""
        if self._spool is None:
            spool = self._open_spool()
            self.left_behind = spool.checkpoints()  # Before this run's own are among them.
            self.last_id = spool.next_id() - 1
            self._spool = spool
        result = work(self._spool)
        return result, self._spool.account()
