"""A full disk: reading goes on, deletes go on, and puts do when there is room again."""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from pathlib import Path

import pytest

from jwpingd.errors import StoreError
from jwpingd.spool import Batch
from jwpingd.spool.reserve import Reserve
from tests.spool_faults import Plan, failing_connection
from tests.spool_values import SMALL, entry, ids_of, is_balanced, opened, put

Disk = namedtuple("Disk", "f_bavail f_frsize")


def test_the_reserve_is_given_up_and_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the reserve goes; until it is back, only deletes and what fits free pages are taken."""
    plan = Plan(code=sqlite3.SQLITE_FULL)
    spool = opened(tmp_path, SMALL, failing_connection(plan))
    put(spool, *(entry(idx, n_bytes=600) for idx in range(1, 41)))
    assert (tmp_path / "reserve").stat().st_size == SMALL.reserve_bytes
    monkeypatch.setattr("os.statvfs", lambda path: Disk(1, 512))
    plan.fail_at = plan.n_operations + 2
    with pytest.raises(StoreError, match="full"):
        spool.commit(Batch(2, puts=(entry(41),)))
    assert not (tmp_path / "reserve").exists()
    with pytest.raises(StoreError, match="full"):
        spool.commit(Batch(2, puts=(entry(41, n_bytes=3000),), delivered=(1, 2)))
    assert ids_of(spool)[0] == 3
    spool.commit(Batch(2, delivered=tuple(range(3, 30))))
    spool.commit(Batch(3, puts=(entry(42, n_bytes=600),)))
    assert ids_of(spool) == [*range(30, 41), 42]
    monkeypatch.undo()
    spool.commit(Batch(4, puts=(entry(43, n_bytes=3000),)))
    assert (tmp_path / "reserve").exists()
    assert spool.account().delivered == 29
    assert is_balanced(spool.account())


def test_a_place_that_cannot_preallocate_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where preallocation fails for another reason than space, nothing is given up."""

    def refuse(descriptor: int, offset: int, length: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr("os.posix_fallocate", refuse)
    reserve = Reserve(tmp_path / "reserve", 4096)
    reserve.hold()
    assert not reserve.is_given_up
