"""A damaged store: it opens all the same, keeps what can be read, and accounts for the rest."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from jwpingd.spool import Batch, Spool
from tests.spool_values import SMALL, bytes_in, entry, ids_of, is_balanced, opened, put

N_PINGS = 60


def filled(directory: Path) -> None:
    """A closed store of sixty pings."""
    spool = opened(directory)
    for idx in range(1, N_PINGS + 1):
        put(spool, entry(idx, n_bytes=500))
    spool.close()


def check(spool: Spool, *, most_lost: int = N_PINGS) -> None:
    """The account goes on, what is there can be read and delivered, and new pings are taken."""
    account = spool.account()
    assert is_balanced(account) and account.accepted == N_PINGS
    assert account.waiting >= N_PINGS - most_lost
    assert account.dropped["damage"] + account.set_aside == N_PINGS - account.waiting
    for kept in spool.waiting(100):
        # The name of its boot may be lost with another row; what is sent is as it was.
        whole = entry(kept.id, n_bytes=500)
        assert (kept.target, kept.sa_ms, kept.play, kept.kind) == (
            whole.target,
            whole.sa_ms,
            whole.play,
            whole.kind,
        )
    put(spool, entry(spool.next_id()))
    spool.commit(Batch(spool.last_batch + 1, delivered=tuple(ids_of(spool))))
    assert is_balanced(spool.account()) and spool.account().waiting == 0


def _truncated(database: Path) -> None:
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 2)


def _empty(database: Path) -> None:
    database.write_bytes(b"")


def _foreign(database: Path) -> None:
    database.write_bytes(b"#!/bin/sh\necho this is no database\n" * 100)


def _directory(database: Path) -> None:
    database.unlink()
    (database / "sub").mkdir(parents=True)


def _another_program(database: Path) -> None:
    database.unlink()
    with sqlite3.connect(database) as other:
        other.execute("CREATE TABLE ping(x)")
    other.close()


def _gone(database: Path) -> None:
    database.unlink()


@pytest.mark.parametrize("damage", [_truncated, _empty, _foreign, _directory, _another_program, _gone])
def test_whatever_lies_in_its_place(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """The store opens, says what it found, and stays within its bytes."""
    filled(tmp_path)
    damage(tmp_path / "spool.db")
    spool = opened(tmp_path)
    assert len(spool.repairs) == 1
    check(spool)
    assert bytes_in(tmp_path) <= SMALL.max_bytes
    spool.close()


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bits_and_zeroed_pages(tmp_path: Path, seed: int) -> None:
    """Anywhere in the file: what is not hit is kept, and no row comes back changed."""
    filled(tmp_path)
    database, fate = tmp_path / "spool.db", random.Random(seed)
    content = bytearray(database.read_bytes())
    for _ in range(fate.randrange(1, 6)):
        place = fate.randrange(len(content))
        if fate.random() < 0.5:
            content[place] ^= 1 << fate.randrange(8)
        else:
            page = place // 512 * 512
            content[page : page + 512] = bytes(512)
    database.write_bytes(content)
    spool = opened(tmp_path)
    spool.thorough_check()
    check(spool)
    spool.close()


def test_a_newer_store_is_kept_for_its_program(tmp_path: Path) -> None:
    """After a rollback the newer store is set aside untouched, and its own program takes it back."""
    filled(tmp_path)
    database = sqlite3.connect(tmp_path / "spool.db")
    database.execute("PRAGMA user_version = 2")
    database.close()
    before = (tmp_path / "spool.db").read_bytes()
    spool = opened(tmp_path)
    assert spool.account().waiting == 0 and "version 2" in spool.repairs[0]
    spool.close()
    (kept,) = [path for path in tmp_path.iterdir() if "v2" in path.name and path.suffix == ".db"]
    assert kept.read_bytes() == before


CHILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from tests.spool_values import entry, opened, put
    spool = opened(Path(sys.argv[1]))
    while True:
        idx = spool.next_id()
        put(spool, entry(idx))
        print(idx, flush=True)
    """
)


@pytest.mark.slow
def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """Eight times kill -9 in the middle of commits: every id that was told is there."""
    told = 0
    for number in range(8):
        command = [sys.executable, "-c", CHILD, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(20 + number):
                told = int(child.stdout.readline())
            child.kill()
            told = max([told, *(int(line) for line in child.stdout if line.endswith("\n"))])
        spool = opened(tmp_path)
        assert spool.repairs == []
        assert set(range(1, told + 1)) <= set(ids_of(spool))
        assert is_balanced(spool.account())
        spool.close()


def _without_database(directory: Path) -> None:
    for name in ("spool.db", "spool.db-wal"):
        (directory / name).unlink()


def _without_files(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def _moved(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))
    directory.mkdir()


@pytest.mark.parametrize("remove", [_without_database, _without_files, shutil.rmtree, _moved])
def test_files_that_are_removed_while_they_are_open(remove: Callable[[Path], None], tmp_path: Path) -> None:
    """What was in them is counted as lost; what is committed from then on is there after a crash."""
    directory = tmp_path / "state"
    spool = opened(directory)
    put(spool, entry(1), entry(2))
    remove(directory)
    put(spool, entry(3))
    after_crash = opened(shutil.copytree(directory, tmp_path / "as a crash leaves it"))
    account = after_crash.account()
    assert ids_of(after_crash) == [3]
    assert is_balanced(account) and account.accepted == 3 and account.dropped["damage"] == 2
    assert "the store is gone: 0 pings carried over, 2 lost" in spool.repairs
