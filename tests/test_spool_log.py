"""The write-ahead log's file: laid out once, kept at its size, and no more than that."""

from __future__ import annotations

import shutil
from pathlib import Path

from jwpingd.spool import Batch, Checkpoint, Purge, Spool
from jwpingd.spool.log import lay_out
from tests.spool_values import SMALL, entry, ids_of, opened, put


def size_of_log(directory: Path) -> int:
    return (directory / "spool.db-wal").stat().st_size


def n_frames(spool: Spool) -> int:
    """Pages in the log, which is brought in: it begins anew with the next commit."""
    (_, n, _) = spool._opened().connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(n)


def deliver(spool: Spool, entry_id: int) -> None:
    spool.commit(Batch(spool.last_batch + 1, delivered=(entry_id,)))


def test_the_log_never_changes_its_size_between_usual_commits(tmp_path: Path) -> None:
    """From the first commit on, over many rounds of the log, no commit lengthens or shortens its file."""
    spool = opened(tmp_path)
    assert size_of_log(tmp_path) == 0  # A start that brings nothing writes nothing.
    sizes = set()
    for entry_id in range(1, 81):
        put(spool, entry(entry_id, n_bytes=500))
        deliver(spool, entry_id)
        sizes.add(size_of_log(tmp_path))
    assert sizes == {SMALL.log_bytes}


def test_a_large_transaction_lengthens_the_log_for_a_while(tmp_path: Path) -> None:
    """A batch that does not fit into the log is stored all the same; the next round has the old size."""
    spool = opened(tmp_path)
    put(spool, *(entry(each, n_bytes=1000) for each in range(1, 81)))
    assert size_of_log(tmp_path) > SMALL.log_bytes
    put(spool, entry(81))
    assert size_of_log(tmp_path) == SMALL.log_bytes
    assert ids_of(spool) == list(range(1, 82))


def test_a_checkpoint_takes_two_pages(tmp_path: Path) -> None:
    """One of the same size as the one before is written over it, and no counter with it."""
    spool = opened(tmp_path)
    frames = []
    for watched_s in range(10, 20):
        will = entry(0, kind="gab", watched_s=watched_s, n_bytes=500)
        spool.commit(Batch(spool.last_batch + 1, checkpoints=(Checkpoint("play00000001", will, ""),)))
        frames.append(n_frames(spool))
    assert frames[1:] == [2] * 9
    assert spool.checkpoints()[0].will == will


def test_what_is_committed_in_a_laid_out_log_survives_a_kill(tmp_path: Path) -> None:
    """The zeros behind the last frame, and frames of an earlier round, are no transactions."""
    spool = opened(tmp_path / "store")
    for entry_id in range(1, 36):
        put(spool, entry(entry_id, n_bytes=500))
        copy = shutil.copytree(tmp_path / "store", tmp_path / f"cut{entry_id}")
        left = opened(copy)
        assert (ids_of(left), left.repairs) == (list(range(1, entry_id + 1)), [])
        left.close()
        shutil.rmtree(copy)


def test_a_purge_empties_the_log_and_the_next_commit_lays_it_out(tmp_path: Path) -> None:
    """What is cut off for privacy comes back as zeros."""
    spool = opened(tmp_path)
    put(spool, entry(1))
    spool.commit(Batch(2, purges=(Purge(lambda _target: None, "opt_out"),)))
    assert size_of_log(tmp_path) == 0
    put(spool, entry(2))
    log = (tmp_path / "spool.db-wal").read_bytes()
    assert len(log) == SMALL.log_bytes
    assert not any(log[SMALL.log_bytes // 2 :])


def test_a_log_is_lengthened_only_where_it_is_and_there_is_room(tmp_path: Path) -> None:
    """Laying out a log makes no missing file, follows no link, fills no disk, and cuts no longer file."""
    log = tmp_path / "spool.db-wal"
    lay_out(log, 8192)
    assert not log.exists()
    log.write_bytes(b"frames")
    lay_out(log, 8192)
    assert log.read_bytes() == b"frames" + bytes(8192 - 6)
    for n_bytes in (1 << 60, 4096):
        lay_out(log, n_bytes)
        assert log.stat().st_size == 8192
    other = tmp_path / "other"
    other.write_bytes(b"")
    log.unlink()
    log.symlink_to(other)
    lay_out(log, 8192)
    assert other.read_bytes() == b""
