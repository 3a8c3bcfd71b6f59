"""The spool's promises, one by one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jwpingd.errors import StoreError
from jwpingd.ping import fold
from jwpingd.spool import Batch, Checkpoint, Limits, Spool
from tests.spool_values import (
    SMALL,
    WALL_MS,
    checkpoint,
    entry,
    ids_of,
    is_balanced,
    opened,
    put,
    reopen,
    rows_of,
    view,
)


def test_what_is_put_comes_back_after_reopening(tmp_path: Path) -> None:
    """An entry comes back with every field as it was, also without a clean close."""
    first = entry(1)
    second = entry(2, n_bytes=3000, sa_ms=None)._replace(kind="gab", watched_s=0)
    spool = opened(tmp_path)
    put(spool, first, second)
    reopen(spool)
    assert rows_of(spool) == [first, second]
    assert spool.oldest(10, except_ids=()) == [first]
    assert spool.next_id() == 3


def test_entries_come_in_order_of_id_and_within_bounds(tmp_path: Path) -> None:
    """`oldest` gives ids in order, after `after_id`, up to `to_id`, without the excepted, at most `limit`."""
    spool = opened(tmp_path)
    put(spool, *(entry(idx) for idx in range(1, 31)))
    found = spool.oldest(4, except_ids={3, 5, 29}, after_id=2, to_id=20)
    assert [each.id for each in found] == [4, 6, 7, 8]
    assert [each.id for each in spool.oldest(99, except_ids=(), after_id=18, to_id=20)] == [19, 20]
    assert spool.oldest(0, except_ids=()) == []


def test_a_batch_is_applied_once(tmp_path: Path) -> None:
    """A batch whose number was seen changes nothing, whatever it holds."""
    spool = opened(tmp_path)
    batch = Batch(1, puts=(entry(1), entry(2)), n_more_counts={"accepted": 1, "dropped.opt_out": 1})
    spool.commit(batch)
    spool.commit(batch)
    reopen(spool)
    spool.commit(batch._replace(puts=(*batch.puts, entry(3))))
    account = spool.account()
    assert (account.accepted, account.waiting, account.dropped["opt_out"]) == (3, 2, 1)
    assert is_balanced(account)


def test_an_id_that_is_there_is_not_counted_twice(tmp_path: Path) -> None:
    """Putting an entry again under a new batch number changes neither rows nor account."""
    spool = opened(tmp_path)
    put(spool, entry(1))
    put(spool, entry(1), entry(2))
    assert spool.account().accepted == 2
    assert ids_of(spool) == [1, 2]


def test_deletes_are_counted_by_rows_that_were_there(tmp_path: Path) -> None:
    """`delivered` counts what it deleted, nothing for an id that is gone or never was."""
    spool = opened(tmp_path)
    put(spool, *(entry(idx) for idx in range(1, 4)))
    spool.commit(Batch(2, delivered=(1, 2, 2, 77)))
    spool.commit(Batch(3, puts=(entry(4), entry(5)), delivered=(1, 5)))
    account = spool.account()
    assert (account.delivered, account.waiting) == (3, 2)
    assert is_balanced(account)
    assert ids_of(spool) == [3, 4]


def test_more_deletes_than_one_transaction_takes(tmp_path: Path) -> None:
    """However many are delivered in one batch, each is deleted and counted once."""
    spool = opened(tmp_path)
    n_rows = 3 * SMALL.max_deletes + 1
    put(spool, *(entry(idx) for idx in range(1, n_rows + 1)))
    spool.commit(Batch(2, delivered=tuple(range(1, n_rows + 1))))
    assert (spool.account().delivered, ids_of(spool)) == (n_rows, [])


def test_checkpoints_are_kept_replaced_and_ended(tmp_path: Path) -> None:
    """The last checkpoint of each play survives until the play ends, with or without a will."""
    spool = opened(tmp_path)
    bare = Checkpoint("b", None, "state")
    spool.commit(Batch(1, checkpoints=(checkpoint("a"), bare)))
    spool.commit(Batch(2, checkpoints=(checkpoint("a", watched_s=9), checkpoint("c")), ended=("c",)))
    spool.commit(Batch(3, ended=("c", "never was")))
    reopen(spool)
    assert spool.checkpoints() == [checkpoint("a", watched_s=9), bare]


def test_dead_letters_are_kept_and_can_be_requeued(tmp_path: Path) -> None:
    """A set-aside ping is out of the queue, visible with its reason, and waits again under a new id."""
    spool = opened(tmp_path)
    put(spool, entry(1), entry(2))
    spool.commit(Batch(2, set_aside=((1, "400"), (9, "never was")), wall_ms=WALL_MS))
    (letter,) = spool.set_aside_rows()
    assert (letter.entry, letter.reason, letter.wall_ms) == (entry(1), "400", WALL_MS)
    assert (spool.account().set_aside, is_balanced(spool.account())) == (1, True)
    assert spool.requeue([1, 9], [spool.next_id(), spool.next_id() + 1]) == 1
    assert rows_of(spool) == [entry(2), entry(1)._replace(id=3)]
    account = spool.account()
    assert (account.accepted, account.set_aside, account.waiting, is_balanced(account)) == (2, 0, 2, True)
    assert spool.next_id() == 4


def test_dead_letters_are_bounded(tmp_path: Path) -> None:
    """Of too many dead letters, or too large ones, the oldest are dropped and counted."""
    limits = SMALL._replace(max_set_aside=3)
    spool = opened(tmp_path, limits)
    put(spool, *(entry(idx) for idx in range(1, 6)), *(entry(idx, n_bytes=5000) for idx in range(6, 30)))
    spool.commit(Batch(2, set_aside=tuple((idx, "x") for idx in range(1, 6))))
    assert [letter.entry.id for letter in spool.set_aside_rows()] == [3, 4, 5]
    spool = opened(tmp_path / "bytes", SMALL)
    put(spool, *(entry(idx, n_bytes=5000) for idx in range(1, 30)))
    spool.commit(Batch(2, set_aside=tuple((idx, "x") for idx in range(1, 30))))
    letters = spool.set_aside_rows()
    assert letters[-1].entry.id == 29
    assert 0 < sum(len(letter.entry.target) for letter in letters) <= SMALL.max_set_aside_bytes
    assert is_balanced(spool.account())


def test_a_mark_of_tries_never_goes_back(tmp_path: Path) -> None:
    """`tried_to` survives reopening, and a batch without one leaves it."""
    spool = opened(tmp_path)
    put(spool, entry(1), tried_to=1)
    put(spool, entry(2))
    reopen(spool)
    assert spool._opened().counters["tried_to"] == 1


def test_old_entries_expire_unless_claimed(tmp_path: Path) -> None:
    """What is older than the limit goes, counted by age; claimed entries and those without a time stay."""
    spool = opened(tmp_path, Limits(max_age_days=1))
    put(spool, entry(1, boot_ms=0), entry(2, boot_ms=1), entry(3, boot_ms=2), entry(4, boot_ms=0, sa_ms=None))
    spool.commit(Batch(2, set_aside=((3, "404"),)))
    assert spool.expire(WALL_MS + 86_400_000 + 2, except_ids={2}) == 1
    assert ids_of(spool) == [2, 4]
    assert spool.expire(WALL_MS + 86_400_000 + 3) == 2
    account = spool.account()
    assert (account.dropped["age"], account.set_aside, is_balanced(account)) == (3, 0, True)


def test_a_purge_leaves_nothing_in_any_file(tmp_path: Path) -> None:
    """After a purge no byte of the pings, dead letters and checkpoints is in the directory."""
    spool = opened(tmp_path)
    secret = [entry(idx, play="p")._replace(target="SECRET" * 5 * idx) for idx in range(1, 60, 2)]
    kept = [entry(idx, play="q", n_bytes=40 * idx) for idx in range(2, 60, 2)]
    will = secret[0]._replace(id=0)
    put(spool, *secret, *kept)
    (tmp_path / "spool.damaged.db").write_bytes(b"SECRET")
    spool.commit(Batch(2, set_aside=((1, "400"),), checkpoints=(Checkpoint("p", will, "SECRET"),)))
    assert spool.purge("opt_out", ids=[5], plays=["p"]) == len(secret)
    assert rows_of(spool) == kept
    assert (spool.account().dropped["opt_out"], is_balanced(spool.account())) == (len(secret), True)
    assert [path.name for path in tmp_path.iterdir() if b"SECRET" in path.read_bytes()] == []


def test_many_boots_are_forgotten_when_unused(tmp_path: Path) -> None:
    """The thorough check forgets old boots that no row names; those in use and the newest stay."""
    spool = opened(tmp_path)
    put(spool, *(entry(idx, boot_id=f"boot-{idx}") for idx in range(1, 100)))
    spool.commit(Batch(2, delivered=tuple(range(1, 99))))
    put(spool, entry(100, boot_id="boot-50"))
    assert spool.thorough_check() == []
    assert spool._opened().boots.find("boot-7") is None
    assert [each.boot_id for each in rows_of(spool)] == ["boot-99", "boot-50"]


def test_the_second_copy_follows(tmp_path: Path) -> None:
    """The account's copy is written on close, and hourly while commits go on."""
    now_s = 0.0
    spool = Spool.open(tmp_path, SMALL, fold=fold, monotonic_s=lambda: now_s)

    def copied() -> int:
        counters = json.loads((tmp_path / "account.json").read_text())["counters"]
        return int(counters.get("accepted", 0))

    put(spool, entry(1))
    assert copied() == 0
    now_s = 3600.0
    put(spool, entry(2))
    assert copied() == 2
    put(spool, entry(3))
    assert copied() == 2
    spool.close()
    assert copied() == 3


def test_counters_handed_in_are_kept(tmp_path: Path) -> None:
    """A counter that the spool does not know is added up and shown."""
    spool = opened(tmp_path)
    spool.commit(Batch(1, n_more_counts={"odd": 2}))
    spool.commit(Batch(2, n_more_counts={"odd": 3}))
    reopen(spool)
    assert spool.account().others == {"odd": 5}
    assert is_balanced(spool.account().plus({"accepted": 2, "dropped.full": 2}))


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """What is no damage is a StoreError that names operation, place and a way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot open .*spool\.db: .*\(.*directory"):
        opened(tmp_path / "file" / "below")


def test_another_process_has_the_store(tmp_path: Path) -> None:
    """A store that is open elsewhere is told, and left alone."""
    first = opened(tmp_path)
    put(first, entry(1))
    with pytest.raises(StoreError, match="another process"):
        opened(tmp_path)
    assert ids_of(first) == [1]


def test_closing_twice_and_using_after_closing(tmp_path: Path) -> None:
    """A closed spool opens itself again when it is used; closing twice does nothing."""
    spool = opened(tmp_path)
    put(spool, entry(1))
    spool.close()
    spool.close()
    assert not (tmp_path / "spool.db-wal").exists()
    before = view(spool)
    assert [each.id for each in before.rows] == [1]


def test_limits_below_the_least_are_refused(tmp_path: Path) -> None:
    """A spool of less than 1 MiB cannot keep its promises."""
    with pytest.raises(ValueError, match="1048576"):
        Spool.open(tmp_path, Limits(max_bytes=(1 << 20) - 1), fold=fold)
