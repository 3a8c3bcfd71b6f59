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
            _before(plan)
            return _after(plan, super().execute(sql, parameters))

        def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
            _before(plan)
            return _after(plan, super().executemany(sql, parameters))

    return Failing


def _before(plan: Plan) -> None:
    plan.n_operations += 1
    if plan.n_operations == plan.fail_at and not plan.is_done_first:
        raise _error(plan)


def _after(plan: Plan, cursor: sqlite3.Cursor) -> sqlite3.Cursor:
    if plan.n_operations == plan.fail_at and plan.is_done_first:
        # SQLite ends a statement that fails; one left open would hold the lock.
        cursor.close()
        raise _error(plan)
    return cursor


def _error(plan: Plan) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("made to fail")
    error.sqlite_errorcode = plan.code
    return error
