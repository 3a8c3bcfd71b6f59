"""A full store: folding keeps watch time, dropping is the last resort, the bytes are never exceeded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jwpingd.spool import Batch, Entry, Limits, Spool
from tests.spool_values import SMALL, bytes_in, checkpoint, entry, ids_of, is_balanced, opened, put, rows_of

LARGE = 3000  # bytes of a target: a small store is full after some 200


def fill(spool: Spool, n_entries: int, *, first_id: int = 1, **values: Any) -> None:
    """Put so many large entries, ten at a time."""
    for start in range(first_id, first_id + n_entries, 10):
        put(spool, *(entry(idx, n_bytes=LARGE, **values) for idx in range(start, start + 10)))


def watched_s(entries: list[Entry]) -> int:
    """The seconds of all of them."""
    return sum(each.watched_s for each in entries)


def test_a_full_store_folds_and_loses_no_second(tmp_path: Path) -> None:
    """While there is something to fold nothing is dropped, and the watched seconds stay."""
    spool = opened(tmp_path)
    fill(spool, 400)
    account = spool.account()
    assert account.folded > 100
    assert sum(account.dropped.values()) == 0
    assert is_balanced(account)
    assert watched_s(rows_of(spool)) == 400 * 5
    for each in rows_of(spool):
        assert each.target.endswith(f"&ti={each.watched_s}")
    assert ids_of(spool)[-1] == 400


def test_a_store_that_is_not_full_folds_nothing(tmp_path: Path) -> None:
    """Folding only happens for room."""
    spool = opened(tmp_path)
    fill(spool, 100)
    assert ids_of(spool) == list(range(1, 101))


def test_a_fold_makes_room_for_some_time(tmp_path: Path) -> None:
    """A full store does not fold at every commit."""
    spool = opened(tmp_path)
    fill(spool, 300)
    folded = []
    for idx in range(301, 341):
        put(spool, entry(idx, n_bytes=LARGE))
        folded.append(spool.account().folded)
    assert len(set(folded)) <= len(folded) // 3


def test_only_neighbours_that_were_never_tried_are_folded(tmp_path: Path) -> None:
    """Not folded: other kinds, the tried, the claimed, pairs with one between, one time unknown."""
    spool = opened(tmp_path)
    fixed = (
        entry(1),  # tried
        entry(2),  # tried
        entry(3, play="a"),
        entry(4, play="a", kind="vs", watched_s=0),
        entry(5, play="a"),
        entry(6, play="b"),
        entry(7, play="b", sa_ms=None),
        entry(8, play="c"),
        entry(9, play="c"),  # claimed
        entry(10, play="d", kind="gab"),
        entry(11, play="d", kind="gab"),
        entry(12, play="e")._replace(target="/v1/jwplayer6/ping.gif?e=t&oaid=1&ti=5"),
        entry(13, play="e")._replace(target="/v1/jwplayer6/ping.gif?e=t&oaid=2&ti=5"),
    )
    put(spool, *fixed, tried_to=2)
    claimed = frozenset({9})
    for start in range(100, 360, 10):
        puts = tuple(entry(idx, play="long", n_bytes=LARGE) for idx in range(start, start + 10))
        put(spool, *puts, claimed=claimed)
    assert rows_of(spool)[: len(fixed)] == list(fixed)
    assert spool.account().folded > 0


def test_interleaved_plays_fold_with_their_own(tmp_path: Path) -> None:
    """Two plays on one box fold each for itself, although their entries alternate."""
    spool = opened(tmp_path)
    for start in range(1, 401, 10):
        put(spool, *(entry(idx, play=f"play{idx % 2}", n_bytes=LARGE) for idx in range(start, start + 10)))
    rows = rows_of(spool)
    assert spool.account().dropped["full"] == 0
    for play in ("play0", "play1"):
        assert watched_s([each for each in rows if each.play == play]) == 200 * 5


def test_the_oldest_are_dropped_when_nothing_folds(tmp_path: Path) -> None:
    """Without anything to fold the oldest go, counted, but never a claimed one."""
    spool = opened(tmp_path)
    claimed = frozenset({1, 5})
    for start in range(1, 401, 10):
        puts = tuple(entry(idx, kind="s", n_bytes=LARGE) for idx in range(start, start + 10))
        put(spool, *puts, claimed=claimed)
    ids = ids_of(spool)
    account = spool.account()
    assert ids[:2] == [1, 5]
    assert ids[2:] == list(range(403 - len(ids), 401))
    assert (account.dropped["full"], account.folded) == (400 - len(ids), 0)
    assert is_balanced(account)


def test_the_bytes_are_never_exceeded(tmp_path: Path) -> None:
    """Database, log, reserve and account stay within the limit at every step, deletes and checkpoints too."""
    spool = opened(tmp_path)
    for start in range(1, 1500, 30):
        kind = "t" if start % 60 == 1 else "s"
        puts = tuple(entry(idx, kind=kind, n_bytes=50 + 37 * (idx % 100)) for idx in range(start, start + 30))
        plays = tuple(checkpoint(f"{start % 7}-{idx}", state="s" * 400) for idx in range(4))
        gone = tuple(ids_of(spool)[:5]) if start % 3 == 0 else ()
        spool.commit(Batch(spool.last_batch + 1, puts=puts, checkpoints=plays, delivered=gone))
        assert bytes_in(tmp_path) <= SMALL.max_bytes
    assert is_balanced(spool.account())
    assert spool.account().dropped["full"] + spool.account().folded > 0


def test_a_batch_larger_than_the_store_keeps_its_newest(tmp_path: Path) -> None:
    """Of puts for which no room can be made the newest are kept; the rest is accepted and dropped."""
    spool = opened(tmp_path)
    put(spool, *(entry(idx, n_bytes=LARGE) for idx in range(1, 501)))
    ids = ids_of(spool)
    assert ids == list(range(501 - len(ids), 501))
    account = spool.account()
    assert (account.accepted, account.waiting, account.dropped["full"]) == (500, len(ids), 500 - len(ids))
    assert is_balanced(account)
    assert bytes_in(tmp_path) <= SMALL.max_bytes
    assert spool.next_id() == 501


def test_a_lower_limit_holds_from_the_next_start(tmp_path: Path) -> None:
    """A store that is larger than a new limit loses its oldest entries and the file its size."""
    spool = opened(tmp_path, Limits())
    for start in range(1, 1001, 100):
        put(spool, *(entry(idx, n_bytes=LARGE) for idx in range(start, start + 100)))
    spool.close()
    spool = opened(tmp_path, SMALL)
    assert bytes_in(tmp_path) <= SMALL.max_bytes
    ids = ids_of(spool)
    assert ids == list(range(1001 - len(ids), 1001))
    assert len(ids) > 100
    assert is_balanced(spool.account())


def test_twenty_thousand_pings_fit_the_default(tmp_path: Path) -> None:
    """The default limit holds 20,000 pings of 600 bytes, and a full store opens quickly."""
    spool = opened(tmp_path, Limits())
    for start in range(1, 20_001, 500):
        put(spool, *(entry(idx, kind="s", n_bytes=600) for idx in range(start, start + 500)))
    assert spool.account().waiting == 20_000
    assert bytes_in(tmp_path) <= Limits().max_bytes
