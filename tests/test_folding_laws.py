"""Folding as a law: whatever is put in, no watched second is lost while nothing is dropped."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from jwpingd import ping
from jwpingd.spool import Entry
from jwpingd.writer.waiting import Submission, Waiting
from tests.spool_values import SMALL, bytes_in, entry, is_balanced, opened, put, rows_of

N_BYTES = {"play00000001": 130, "play00000002": 400, "play00000003": 900}  # a play's targets have one title


def made(play: str, kind: str, seconds: int, *, is_timed: bool) -> Entry:
    """A ping of a play."""
    sa_ms = 0 if is_timed else None
    return entry(0, play=play, kind=kind, watched_s=10 + seconds, n_bytes=N_BYTES[play], sa_ms=sa_ms)


pings = st.builds(
    made,
    st.sampled_from([*N_BYTES]),
    st.sampled_from(["t", "t", "t", "t", "t", "s", "vs", "gab"]),
    st.integers(0, 40),
    is_timed=st.sampled_from([True, True, True, False]),
)


def watched_s(entries: Iterable[Entry]) -> Counter[str]:
    """Seconds by play, as the entries say and as their targets do."""
    seconds = Counter[str]()
    for each in entries:
        (said,) = parse_qs(urlsplit(each.target).query)["ti"]
        assert int(said) == each.watched_s
        seconds[each.play] += each.watched_s
    return +seconds


@given(
    entries=st.lists(pings, max_size=40),
    n_most=st.integers(0, 20),
    claimed=st.sets(st.integers(1, 40)),
    tried_to=st.integers(0, 40),
)
def test_in_memory(entries: list[Entry], n_most: int, claimed: set[int], tried_to: int) -> None:
    """Memory keeps to its bound but for what the uplink has in hand, and counts all that went.

    What the collector may have already stays as it is, or goes as a whole.
    """
    numbered = [each._replace(id=idx) for idx, each in enumerate(entries, 1)]
    waiting = Waiting(ping.fold)
    for each in numbered:
        waiting.submissions.append(Submission(each.id, [each], (), ()))
    waiting.make_room(n_most, claimed, tried_to)
    left = list(waiting.entries())
    assert len(left) <= max(n_most, len(claimed & {each.id for each in numbered}))
    assert [each for each in numbered if each.id in claimed] == [each for each in left if each.id in claimed]
    assert set(left[: sum(each.id <= tried_to for each in left)]) <= set(numbered)
    counts = waiting.counts()
    n_dropped = counts.get("dropped.full", 0)
    assert len(numbered) == len(left) + counts.get("folded", 0) + n_dropped
    left_ids = {each.id for each in left}
    assert sum(each.id <= tried_to and each.id not in left_ids for each in numbered) <= n_dropped
    if not n_dropped:
        assert watched_s(left) == watched_s(numbered)


SHORT = [
    made(f"play0000000{number}", kind, 0, is_timed=True)
    for number, kind in ((1, "t"), (3, "s"), (1, "t"), (2, "t"), (2, "s"))
]
"""Rows of a fifth of a page: hundreds have to be folded for a few pages, all over the store."""


@settings(max_examples=3, deadline=None)
@example(pattern=SHORT, n_at_once=28)
@given(pattern=st.lists(pings, min_size=5, max_size=30), n_at_once=st.integers(1, 40))
def test_on_flash(pattern: list[Entry], n_at_once: int) -> None:
    """The store keeps to its bytes at every commit, and to its seconds until it must drop."""
    with tempfile.TemporaryDirectory() as name:
        spool = opened(Path(name))
        accepted: list[Entry] = []
        for first in range(1, 2400, n_at_once):
            batch = [pattern[idx % len(pattern)]._replace(id=idx) for idx in range(first, first + n_at_once)]
            put(spool, *batch)
            accepted += batch
            assert bytes_in(Path(name)) <= SMALL.max_bytes
            account = spool.account()
            assert is_balanced(account) and account.accepted == len(accepted)
            if account.dropped["full"]:
                assert account.folded or not _can_fold(accepted)
                break
        if not account.dropped["full"]:
            assert watched_s(rows_of(spool)) == watched_s(accepted)
        spool.close()


def _can_fold(entries: list[Entry]) -> bool:
    """Whether two neighbouring `t` of a play are both timed, or both not."""
    last: dict[str, Entry] = {}
    for each in entries:
        before = last.get(each.play)
        if (
            before is not None
            and before.kind == each.kind == "t"
            and (before.sa_ms is None) == (each.sa_ms is None)
        ):
            return True
        last[each.play] = each
    return False
