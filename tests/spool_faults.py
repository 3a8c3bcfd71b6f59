"""A connection whose n-th operation fails, before or after it was really done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Plan:
    """The operation number `fail_at` (from 1; 0: none) fails with `code`; `is_done_first`: after it ran."""

    fail_at: int = 0
    is_done_first: bool = False
    code: int = sqlite3.SQLITE_IOERR_WRITE
    n_operations: int = 0


def failing_connection(plan: Plan) -> type[sqlite3.Connection]:
    """A connection type whose operations are counted in `plan`, over all its connections."""

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            _fail(plan, is_before=True)
            return _unless_it_fails(plan, super().execute(sql, parameters))

        def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
            _fail(plan, is_before=True)
            return _unless_it_fails(plan, super().executemany(sql, parameters))

    return Failing


def _unless_it_fails(plan: Plan, cursor: sqlite3.Cursor) -> sqlite3.Cursor:
    try:
        _fail(plan, is_before=False)
    except sqlite3.Error:
        cursor.close()  # SQLite resets a statement that failed; one left open would keep its locks.
        raise
    return cursor


def _fail(plan: Plan, *, is_before: bool) -> None:
    plan.n_operations += is_before
    if plan.n_operations == plan.fail_at and is_before != plan.is_done_first:
        error = sqlite3.OperationalError("made to fail")
        error.sqlite_errorcode = plan.code
        raise error
