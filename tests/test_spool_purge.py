"""Purges of the spool: what goes, what stays, what is left in the files, and that the account holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jwpingd.spool import Batch, Checkpoint, Entry, Purge, Spool
from tests.spool_values import checkpoint, entry, ids_of, is_balanced, opened, put, rows_of

SECRET = "5ecret5ecret"


def of(entry_id: int, user: str, n_bytes: int = 300) -> Entry:
    """An entry that names a user."""
    made = entry(entry_id, n_bytes=n_bytes)
    return made._replace(target=f"{made.target}&oaid={user}")


def nothing_of(user: str) -> Purge:
    """A purge of every ping that names the user."""
    return Purge(lambda target: None if f"&oaid={user}" in target else target, "opt_out")


def nobody(target: str) -> str:
    """What is left of a target where users are not named."""
    return target.partition("&oaid=")[0]


def purge(spool: Spool, *purges: Purge, puts: tuple[Entry, ...] = ()) -> None:
    spool.commit(Batch(spool.last_batch + 1, purges=purges, puts=puts))


def files_with(directory: Path, text: str) -> list[str]:
    return [path.name for path in directory.iterdir() if text.encode() in path.read_bytes()]


def test_a_purge_takes_its_own_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    """Of many rows, more than are read or deleted at once, those that name the user go, others stay."""
    spool = opened(tmp_path)
    for start in range(1, 700, 100):
        put(spool, *(of(idx, SECRET if idx % 3 else "other") for idx in range(start, start + 100)))
    (tmp_path / "spool.damaged.db").write_text(SECRET)
    (tmp_path / "spool.v9.db").write_text("a newer program's")
    purge(spool, nothing_of(SECRET))
    assert ids_of(spool) == [idx for idx in range(1, 701) if not idx % 3]
    account = spool.account()
    assert (account.dropped["opt_out"], account.waiting, is_balanced(account)) == (467, 233, True)
    assert files_with(tmp_path, SECRET) == []
    assert (tmp_path / "spool.v9.db").exists()


def test_a_purge_of_the_box_takes_other_versions_stores(tmp_path: Path) -> None:
    """What an older or newer program set aside cannot be looked through, so it goes as a whole."""
    spool = opened(tmp_path)
    put(spool, of(1, SECRET))
    (tmp_path / "spool.v9.db").write_text(SECRET)
    (tmp_path / "spool.v9.db-wal").write_text(SECRET)
    purge(spool, nothing_of(SECRET)._replace(is_of_box=True))
    assert files_with(tmp_path, SECRET) == []
    assert not list(tmp_path.glob("*.v9.*"))


def test_rows_are_shortened_where_nobody_may_have_tried_them(tmp_path: Path) -> None:
    """Beyond the mark of tries, the store's or the caller's, the row changes; up to it, it goes."""
    for tried_in_store, tried_in_run in ((3, 0), (0, 3), (3, 2)):
        directory = tmp_path / f"{tried_in_store}-{tried_in_run}"
        spool = opened(directory)
        put(spool, *(of(idx, SECRET, n_bytes=100 * idx) for idx in range(1, 9)), tried_to=tried_in_store)
        purge(spool, Purge(nobody, "opt_out", tried_to=tried_in_run))
        expected = [of(idx, SECRET, n_bytes=100 * idx) for idx in range(4, 9)]
        assert rows_of(spool) == [each._replace(target=nobody(each.target)) for each in expected]
        assert (spool.account().dropped["opt_out"], is_balanced(spool.account())) == (3, True)
        assert files_with(directory, SECRET) == []
        spool.close()
        assert spool.thorough_check() == []


def test_dead_letters_and_checkpoints_obey(tmp_path: Path) -> None:
    """A dead letter was tried, so it goes; a will is shortened, and its play's state goes with the user."""
    spool = opened(tmp_path)
    put(spool, of(1, SECRET), of(2, "other"))
    will = of(7, SECRET)._replace(id=0, play="c")
    kept = (checkpoint("a"), Checkpoint("b", None, "state"))
    spool.commit(Batch(2, set_aside=((1, "400"),), checkpoints=(*kept, Checkpoint("c", will, SECRET))))
    purge(spool, Purge(lambda target: nobody(target) if SECRET in target else target, "opt_out"))
    shortened = will._replace(target=nobody(will.target))
    assert spool.checkpoints() == [*kept, Checkpoint("c", shortened, "")]
    assert spool.set_aside_rows() == [] and ids_of(spool) == [2]
    assert is_balanced(spool.account())
    assert files_with(tmp_path, SECRET) == []


def test_a_purge_of_everything_takes_plays_without_a_will(tmp_path: Path) -> None:
    """Where nothing may be told any more, not even what a play would be resumed from is left."""
    spool = opened(tmp_path)
    spool.commit(Batch(1, checkpoints=(Checkpoint("b", None, SECRET), checkpoint("a", state=SECRET))))
    purge(spool, Purge(lambda target: None, "opt_out"))
    assert spool.checkpoints() == [] and files_with(tmp_path, SECRET) == []


@pytest.mark.parametrize("table", ["ping", "aside", "play"])
def test_a_damaged_row_goes_with_any_purge(tmp_path: Path, table: str) -> None:
    """Nobody can say whose a row is that fails its check; it is counted with the others."""
    spool = opened(tmp_path)
    put(spool, of(1, "other"), of(2, "other"))
    spool.commit(Batch(2, set_aside=((2, "400"),), checkpoints=(checkpoint("a"),)))
    spool.close()
    with closing(sqlite3.connect(tmp_path / "spool.db")) as connection:
        connection.execute(f"UPDATE {table} SET target = ?", (SECRET,))
        connection.commit()
    purge(spool, nothing_of("somebody else"))
    assert files_with(tmp_path, SECRET) == []
    account = spool.account()
    assert (account.dropped["opt_out"], is_balanced(account)) == (int(table != "play"), True)


def test_a_purge_is_for_what_was_there_before(tmp_path: Path) -> None:
    """The pings of its own batch stay, also when the batch is tried again after it had reached flash."""
    spool = opened(tmp_path)
    put(spool, of(1, SECRET))
    batch = Batch(2, purges=(nothing_of(SECRET),), puts=(of(2, SECRET),))
    for _ in range(2):
        spool.commit(batch)
        assert ids_of(spool) == [2]
        assert spool.account().dropped["opt_out"] == 1


def test_two_purges_in_one_batch_both_hold(tmp_path: Path) -> None:
    """Two purges in one batch are done in order."""
    spool = opened(tmp_path)
    put(spool, of(1, SECRET), of(2, "other"), of(3, "third"))
    purge(spool, nothing_of(SECRET), nothing_of("other"))
    assert ids_of(spool) == [3]


def test_a_store_is_there_once_it_was_made(tmp_path: Path) -> None:
    """Whoever only wants to purge need not make one."""
    assert not Spool.is_in(tmp_path)
    opened(tmp_path).close()
    assert Spool.is_in(tmp_path)
