"""A sample of what `tests.faults.damaged_stores` damages, and the damage that has a law of its own."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jwpingd.spool import Batch
from jwpingd.spool.limits import FRAME_BYTES
from tests.faults import damaged_stores
from tests.faults.damage import DAMAGES
from tests.faults.damaged_stores import N_PINGS, look_through, original
from tests.spool_values import ids_of, is_balanced, opened, put

NOBODY = 65534
_PORTION = 20


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("damaged-stores")
    damaged_stores.prepare(directory)
    return directory


@pytest.mark.parametrize("first", range(0, 10 * len(DAMAGES), _PORTION))
def test_every_store_opens(stores: Path, first: int) -> None:
    """Whatever lies there: it opens, what it has is as it was, the account balances, new pings are taken."""
    tally = damaged_stores.damage_all(first, first + _PORTION, 2026, stores)
    assert tally.faults == []
    assert tally.n_stores.total() == _PORTION


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 8, 16])
def test_a_daemon_starts_on_it(stores: Path, tmp_path: Path, number: int) -> None:
    """A real daemon answers, takes pings and acknowledges them on a damaged store."""
    _, _, faults = damaged_stores.start_daemon(number, 2026, stores)
    assert faults == []


def test_what_stands_behind_a_damaged_frame_is_carried_over(stores: Path, tmp_path: Path) -> None:
    """SQLite takes a damaged frame for the end of its log; the transactions behind it were acknowledged."""
    cut = stores / "cut/store"
    content = bytearray((cut / "spool.db-wal").read_bytes())
    content[32 + 5 * FRAME_BYTES + 100] ^= 1
    for path in cut.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "spool.db-wal").write_bytes(content)
    spool = opened(tmp_path)
    assert "broken in the middle" in spool.repairs[0]
    # What the page that was hit held is lost; the many transactions after it are all there.
    assert len(ids_of(spool)) >= N_PINGS - 2 - 4
    look_through(spool, tmp_path)


@pytest.mark.parametrize("n_bytes", [32, 512, 4096])
def test_a_log_whose_beginning_is_zeros_is_carried_over(tmp_path: Path, n_bytes: int) -> None:
    """A header of zeros passes its own checksum and is no log to SQLite; what stands behind it is found."""
    spool = opened(tmp_path / "store")
    for entry_id in range(1, 61):
        put(spool, original(entry_id))
        if entry_id % 3 == 0:
            spool.commit(Batch(spool.last_batch + 1, delivered=(entry_id,)))
    copy = shutil.copytree(tmp_path / "store", tmp_path / "copy")
    with (copy / "spool.db-wal").open("r+b") as log:
        log.write(bytes(n_bytes))
    damaged = opened(copy)
    assert "broken in the middle" in damaged.repairs[0]
    assert ids_of(damaged) == ids_of(spool)


@pytest.mark.parametrize("is_empty", [False, True])
def test_a_log_without_its_database_is_carried_over(stores: Path, tmp_path: Path, is_empty: bool) -> None:
    """What was written last is in the log alone."""
    for path in (stores / "cut/store").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "spool.db").unlink()
    if is_empty:
        (tmp_path / "spool.db").touch()
    spool = opened(tmp_path)
    assert "its log is not" in spool.repairs[0]
    assert len(ids_of(spool)) > N_PINGS // 10 and max(ids_of(spool)) == N_PINGS
    look_through(spool, tmp_path)


def test_blocks_that_cannot_be_read_cost_only_themselves(
    stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the medium refuses a block, the rows in all others are carried over."""
    for path in (stores / "closed/store").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "spool.db").open("r+b") as database:
        database.write(bytes(512))  # SQLite itself gives up at once.
    pread = os.pread

    def failing(descriptor: int, n_bytes: int, start: int) -> bytes:
        if start // 4096 == 3:
            raise OSError(errno.EIO, "Input/output error")
        return pread(descriptor, n_bytes, start)

    monkeypatch.setattr("os.pread", failing)
    spool = opened(tmp_path)
    assert N_PINGS - 40 <= len(ids_of(spool)) < N_PINGS - 2
    assert spool.account().dropped["damage"] + len(ids_of(spool)) + spool.account().set_aside == N_PINGS
    assert is_balanced(spool.account())
    spool.close()


@contextmanager
def nobody() -> Iterator[Path]:
    """A directory of somebody who may not do everything, as that user."""
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, NOBODY, NOBODY)
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)
            os.setegid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("name", ["spool.db", "spool.db-wal", "account.json", "reserve"])
def test_files_of_another_user(name: str, mode: int) -> None:
    """After a start as root by mistake: what can be read is carried over, the rest set aside; it goes on."""
    with nobody() as directory:
        spool = opened(directory)
        put(spool, *(original(idx) for idx in range(1, 31)))
        files = {path.name: path.read_bytes() for path in directory.iterdir()}
        spool.close()
        for left, content in files.items():
            (directory / left).write_bytes(content)
        os.seteuid(0)
        os.chown(directory / name, 0, 0)
        (directory / name).chmod(mode)
        os.seteuid(NOBODY)
        spool = opened(directory)
        is_spool = name.startswith("spool")
        assert len(spool.repairs) == is_spool
        if mode == 0o644 or not is_spool:
            assert ids_of(spool) == list(range(1, 31))
        put(spool, original(spool.next_id()))
        assert is_balanced(spool.account())
        spool.close()
