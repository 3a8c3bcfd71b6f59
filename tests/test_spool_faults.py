"""Every operation of the store fails once: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from jwpingd.errors import StoreError
from jwpingd.spool import Batch, Spool
from tests.spool_faults import Plan, failing_connection
from tests.spool_values import SMALL, View, checkpoint, entry, is_balanced, opened, reopen, view

T = TypeVar("T")

BATCHES = (
    Batch(1, puts=(entry(1), entry(2, n_bytes=700), entry(3, sa_ms=None)), checkpoints=(checkpoint("a"),)),
    Batch(2, puts=(entry(4, boot_id="boot-2"), entry(5)), delivered=(1,), tried_to=2),
    Batch(3, set_aside=((2, "404"),), ended=("a",), checkpoints=(checkpoint("b"),), claimed=frozenset({4})),
    Batch(4, puts=(entry(6),), delivered=(4,), n_more_counts={"accepted": 1, "dropped.opt_out": 1}),
)
STEPS: tuple[Callable[[Spool], object], ...] = (
    *(lambda spool, batch=batch: spool.commit(batch) for batch in BATCHES[:3]),
    lambda spool: spool.fix_times("boot-1", 1_700_000_000_000),
    lambda spool: spool.commit(BATCHES[3]),
    lambda spool: spool.purge("operator", ids=[5]),
)


def run(directory: Path, plan: Plan) -> View:
    """All steps on a new store, each tried again until it is taken; then a look after reopening."""
    connection_type = failing_connection(plan)
    spool = persistently(lambda: opened(directory, SMALL, connection_type))
    for step in STEPS:
        persistently(lambda step=step: step(spool))  # type: ignore[misc]  # as above
        account = persistently(spool.account)
        assert is_balanced(account)
    persistently(lambda: reopen(spool))
    return persistently(lambda: view(spool))


def persistently(act: Callable[[], T]) -> T:
    """As the writer does: once more after an error."""
    try:
        return act()
    except StoreError:
        return act()


@pytest.mark.parametrize("is_done_first", [False, True])
@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CORRUPT])
def test_any_operation_may_fail(tmp_path: Path, is_done_first: bool, code: int) -> None:
    """Whichever operation fails, before or after it was done: the end is as if none had."""
    plain = Plan()
    expected = run(tmp_path / "plain", plain)
    # Every operation with an I/O error; every third with the others, which take the same ways in.
    step = 1 if code == sqlite3.SQLITE_IOERR_WRITE else 3
    for fail_at in range(1, plain.n_operations + 1, step):
        found = run(tmp_path / str(fail_at), Plan(fail_at, is_done_first, code))
        assert found == expected, f"operation {fail_at}"
