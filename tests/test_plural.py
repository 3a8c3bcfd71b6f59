"""One of a thing is told as one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jwpingd
from jwpingd.plural import counted

THINGS = "pings|plays|items|players|events|lines|connections|records|viewers|violations|duplicates"


@pytest.mark.parametrize(("n", "expect"), [(0, "0 pings"), (1, "1 ping"), (2, "2 pings")])
def test_things_are_counted(n: int, expect: str) -> None:
    """One thing has no s; none and more have."""
    assert counted(n, "ping") == expect


def test_the_verb_follows() -> None:
    """Where a verb says it too, both forms are given."""
    assert counted(1, "ping waits", "pings wait") == "1 ping waits"
    assert counted(2, "ping waits", "pings wait") == "2 pings wait"


def test_nobody_counts_by_hand() -> None:
    """Only `plural` puts a number that may be 1 before the word for many."""
    by_hand = re.compile(rf'f?"[^"\n]*(%d|\{{[^}}\n]+\}}) (?:more )?({THINGS})\b')
    for path in Path(jwpingd.__file__).parent.rglob("*.py"):
        found = [match[0] for match in by_hand.finditer(path.read_text())]
        assert not found, f"{path}: {found}"
