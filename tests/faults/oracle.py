"""What must be found in a store after a power cut, from the notes of the process that was cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jwpingd.spool import Spool
from tests.faults.recorder import Record
from tests.faults.workload import digest
from tests.spool_values import is_balanced


@dataclass(frozen=True, slots=True)
class State:
    """The store as the running process saw it when something was done."""

    ids: frozenset[int]
    digest: str
    last_id: int
    n_damaged: int
    n_repairs: int


@dataclass(frozen=True, slots=True)
class Promise:
    """What holds at one point of the record.

    The store is as it was `before` what was being done, or as it was `after` it.  `is_exact`: that was
    one transaction, so there is nothing between the two.  `has_failed`: so did a transaction on the way,
    which may have reached the disk all the same.  `acknowledged`: ids of pings.
    """

    before: State
    after: State
    is_exact: bool
    has_failed: bool
    acknowledged: frozenset[int]

    def faults_of(self, spool: Spool) -> list[str]:
        """What of it does not hold; nothing, one hopes."""
        ids = {row.id for row in spool.waiting(1_000_000)}
        account = spool.account()
        known = self.before.ids | self.after.ids
        if self.has_failed:
            known |= {entry_id for entry_id in ids if entry_id > self.before.last_id}
        found = {
            "acknowledged pings are lost": (self.before.ids & self.after.ids & self.acknowledged) - ids,
            "pings are lost": (self.before.ids & self.after.ids) - ids,
            "pings are back, or were never there": ids - known,
        }
        faults = [f"{what}: {sorted(which)}" for what, which in found.items() if which]
        if spool.repairs and self.after.n_repairs <= self.before.n_repairs:
            faults += spool.repairs
        if not is_balanced(account) or account.dropped["damage"] > self.after.n_damaged:
            faults.append(f"the account is off: {account}")
        if self.is_exact and digest(spool) not in (self.before.digest, self.after.digest):
            faults.append("the store is neither as before nor as after the transaction")
        return faults


def promises(records: Sequence[Record]) -> list[Promise]:
    """For each record: what holds if the power goes right before the next operation.

    Checks on the way that no acknowledged ping is gone without being counted.
    """
    states = [idx for idx, record in enumerate(records) if record.kind == "n" and "done" in record.note]
    found: list[Promise] = []
    for begin, end in zip([-1, *states], [*states, len(records)], strict=True):
        found += _between(records, begin, end)
    return _with_acks(records, found)


def _between(records: Sequence[Record], begin: int, end: int) -> list[Promise]:
    """The promises from one state up to the next, acks left out."""
    span = range(max(begin, 0), end)
    after = _state(records[end if end < len(records) else begin].note)
    before = _state(records[begin].note) if begin >= 0 else replace(after, n_repairs=0)
    n_begun = sum(1 for idx in span if records[idx].kind == "n" and "begun" in records[idx].note)
    n_commits = records[end].note["n_commits"] if end < len(records) else 0
    is_exact = begin >= 0 and n_begun <= 1 and n_commits <= 1
    promise = Promise(before, after, is_exact, n_begun > 1, frozenset())
    return [promise] * len(span)


def _state(note: dict[str, Any]) -> State:
    assert note["is_balanced"], note
    return State(
        frozenset(note["done"]), note["digest"], note["last_id"], note["n_damaged"], note["n_repairs"]
    )


def _with_acks(records: Sequence[Record], found: list[Promise]) -> list[Promise]:
    tickets: dict[int, list[int]] = {}
    acknowledged: frozenset[int] = frozenset()
    resolved: set[int] = set()
    complete: list[Promise] = []
    for record, promise in zip(records, found, strict=True):
        note = record.note if record.kind == "n" else {}
        if "ticket" in note:
            tickets[note["ticket"]] = note["ids"]
        if "resolved" in note:
            resolved.add(note["resolved"])
        if "ack" in note:
            due = [ticket for ticket in tickets if ticket <= note["ack"]]
            acknowledged |= {entry_id for ticket in due for entry_id in tickets.pop(ticket)}
        if "done" in note:
            missing = acknowledged - resolved - set(note["done"])
            assert len(missing) <= note["n_gone"], f"acknowledged and gone without a count: {missing}"
        complete.append(replace(promise, acknowledged=acknowledged))
    return complete
