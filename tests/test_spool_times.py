"""Times of entries that were made while the wall clock was unknown."""

from __future__ import annotations

from pathlib import Path

from jwpingd.spool import Batch
from tests.spool_values import WALL_MS, checkpoint, entry, opened, put, reopen, rows_of

OFFSET_MS = WALL_MS


def test_a_known_clock_gives_exact_times(tmp_path: Path) -> None:
    """`sa` is boottime plus offset; a time that was there does not change; wills get theirs too."""
    spool = opened(tmp_path)
    held, known = entry(1, boot_ms=70, sa_ms=None), entry(2, sa_ms=5)
    spool.commit(Batch(1, puts=(held, known), checkpoints=(checkpoint("a", sa_ms=None),)))
    assert spool.account().held == 1
    assert spool.fix_times("boot-1", OFFSET_MS) == 1
    assert rows_of(spool) == [held._replace(sa_ms=OFFSET_MS + 70), known]
    assert spool.checkpoints() == [checkpoint("a")]
    assert (spool.account().held, spool.account().clock_guessed) == (0, 0)
    assert spool.fix_times("boot-1", OFFSET_MS + 9_000_000) == 0
    assert rows_of(spool)[0].sa_ms == OFFSET_MS + 70


def test_an_earlier_boot_without_clock_is_dated_by_the_next_known_one(tmp_path: Path) -> None:
    """Its entries get the start of the earliest later boot whose clock is known, marked and counted."""
    spool = opened(tmp_path)
    put(spool, *(entry(idx, boot_id=f"boot-{idx}", sa_ms=None) for idx in (1, 2, 3, 4)))
    assert spool.fix_times("boot-3", OFFSET_MS) == 3
    one, two, three, four = rows_of(spool)
    assert [one.sa_ms, two.sa_ms, three.sa_ms] == [OFFSET_MS, OFFSET_MS, OFFSET_MS + 3000]
    assert [one.is_guessed, two.is_guessed, three.is_guessed] == [True, True, False]
    assert four.sa_ms is None
    assert (spool.account().clock_guessed, spool.account().held) == (2, 1)


def test_a_boot_that_never_knew_keeps_its_distances(tmp_path: Path) -> None:
    """Its last ping gets the start of the next boot, the others lie before it as they did."""
    spool = opened(tmp_path)
    put(spool, *(entry(idx, boot_id="boot-1", boot_ms=60_000 * idx, sa_ms=None) for idx in (1, 2, 5)))
    assert spool.fix_times("boot-2", OFFSET_MS) == 3
    assert [each.sa_ms for each in rows_of(spool)] == [OFFSET_MS - 240_000, OFFSET_MS - 180_000, OFFSET_MS]


def test_an_earlier_boot_whose_clock_was_known_is_exact(tmp_path: Path) -> None:
    """The offset of a boot is remembered: what it left without a time gets an exact one later."""
    spool = opened(tmp_path)
    spool.fix_times("boot-1", OFFSET_MS)
    put(spool, entry(1, sa_ms=None))
    reopen(spool)
    assert spool.fix_times("boot-2", OFFSET_MS + 10_000_000) == 1
    assert rows_of(spool) == [entry(1)]


def test_the_earliest_known_later_boot_counts(tmp_path: Path) -> None:
    """Of several later boots with known clocks, the earliest bounds the moment best."""
    spool = opened(tmp_path)
    put(spool, entry(1, boot_id="boot-1", sa_ms=None))
    spool.commit(Batch(2, puts=(entry(2, boot_id="boot-2"),)))
    reopen(spool)
    spool.guess_times("boot-0", 1)  # An unknown later boot must not date earlier ones that are known.
    put(spool, entry(3, boot_id="boot-2", sa_ms=None), entry(4, boot_id="boot-1", sa_ms=None))
    spool.fix_times("boot-2", OFFSET_MS)
    assert rows_of(spool)[-1].sa_ms == OFFSET_MS


def test_held_too_long(tmp_path: Path) -> None:
    """By a clock that nobody vouches for all are dated, marked and counted; no later fix changes them."""
    spool = opened(tmp_path)
    put(spool, entry(1, boot_id="boot-1", sa_ms=None), entry(2, boot_id="boot-2", boot_ms=5, sa_ms=None))
    assert spool.guess_times("boot-2", 1000) == 2
    assert [(each.sa_ms, each.is_guessed) for each in rows_of(spool)] == [(1000, True), (1005, True)]
    assert spool.account().clock_guessed == 2
    spool.fix_times("boot-2", OFFSET_MS)
    assert [each.sa_ms for each in rows_of(spool)] == [1000, 1005]


def test_a_guessed_put_is_counted(tmp_path: Path) -> None:
    """A ping that comes with a guessed time counts as guessed."""
    spool = opened(tmp_path)
    put(spool, entry(1)._replace(is_guessed=True), entry(2))
    assert spool.account().clock_guessed == 1
    assert rows_of(spool)[0].is_guessed


def test_a_long_backlog_is_dated_in_several_transactions(tmp_path: Path) -> None:
    """All of a backlog gets its times, and the log stays within its bytes."""
    spool = opened(tmp_path)
    for start in range(1, 1001, 50):
        put(spool, *(entry(idx, sa_ms=None) for idx in range(start, start + 50)))
    assert spool.fix_times("boot-1", OFFSET_MS) == 1000
    assert rows_of(spool) == [entry(idx) for idx in range(1, 1001)]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1 << 20


def test_entries_that_are_gone_are_held_no_more(tmp_path: Path) -> None:
    """Dropping an entry without a time keeps the count of those right."""
    spool = opened(tmp_path)
    put(spool, entry(1, sa_ms=None), entry(2, sa_ms=None), entry(3))
    spool.purge("operator", ids=[1, 3])
    assert spool.account().held == 1
