"""A sample of the power cuts that `python -m tests.faults.power_cuts` makes, and checks of its tools."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import power_cuts, recorder
from tests.faults.disk import Disk, Loss, write_image
from tests.faults.power_cuts import Cut, Recording
from tests.faults.recorder import Record
from tests.faults.workload import SCENARIOS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not recorder.can_record() and "CI" not in os.environ, reason="the recorder needs gcc"),
]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    return power_cuts.record_all(2026, tmp_path_factory.mktemp("power-cuts"))


@pytest.mark.parametrize("number", range(len(SCENARIOS)), ids=list(SCENARIOS))
def test_a_power_cut_costs_nothing_that_was_acknowledged(recordings: list[Recording], number: int) -> None:
    """Wherever power is cut, the store opens with every acknowledged ping, once, and nothing half done."""
    recording = recordings[number]
    cuts = recording.cuts()
    # Each operation that is chosen is cut with another kind of loss than the one before.
    chosen = [cuts[number * len(cuts) // 35] for number in range(35)]
    tally = power_cuts.pull_plugs(recording, chosen)
    assert tally.faults == []
    assert tally.n_cuts.total() == 35 and tally.n_checked > 0


@pytest.mark.parametrize("number", range(len(SCENARIOS)), ids=list(SCENARIOS))
def test_zeros_come_after_a_sync_of_what_they_replace(recordings: list[Recording], number: int) -> None:
    """A log that is cut to nothing is so on flash before it is laid out: no zeros amid old frames."""
    cut: set[int] = set()
    laid_out = set()
    for record in recordings[number].records:
        if record.kind == "t" and record.offset == 0:
            cut.add(record.inode)
        elif record.kind == "s":
            cut.discard(record.inode)
        elif record.kind == "w" and not any(record.first):
            assert record.inode not in cut
            laid_out.add(record.inode)
    assert laid_out


def test_a_daemon_starts_on_what_a_cut_has_left(recordings: list[Recording], tmp_path: Path) -> None:
    """A real process counts what a store opened in-process counts."""
    recording = recordings[1]
    cut = random.Random(1).choice(recording.cuts())
    for _, image in recording.images([cut]):
        assert power_cuts.start_daemon(tmp_path, image) == []


def test_a_store_that_does_not_sync_is_found_out(recordings: list[Recording]) -> None:
    """The check itself can fail: with the syncs taken out of the record, acknowledged pings are missing."""
    recording = recordings[1]
    careless = [
        replace(record, kind="n", first=b"{}") if record.kind == "s" else record
        for record in recording.records
    ]
    last = max(idx for idx, record in enumerate(careless) if record.kind == "w")
    tally = power_cuts.pull_plugs(replace(recording, records=careless), [Cut(last, Loss.ALL)])
    assert any("acknowledged pings are lost" in fault for fault in tally.faults)


def _disk(directory: Path, *records: Record) -> Disk:
    """A disk with the file `a`, whose inode is 1 in the records, after these."""
    write_image({}, directory)
    disk = Disk(directory, 1)
    for record in (Record("c", 1, 0, b"a", b""), *records):
        disk.do(record)
    return disk


def test_the_disk_keeps_what_was_synced(tmp_path: Path) -> None:
    """Content is safe by its own sync, a name by its directory's; either alone is not enough."""
    write, sync, sync_names = (
        Record("w", 1, 0, b"x", b""),
        Record("s", 1, 0, b"", b""),
        Record("d", 9, 0, b"", b""),
    )
    fate = random.Random(1)
    assert _disk(tmp_path, write, sync).cut(Loss.ALL, fate) == {}
    assert _disk(tmp_path, write, sync_names).cut(Loss.ALL, fate) == {"a": b""}
    assert _disk(tmp_path, write, sync, sync_names).cut(Loss.ALL, fate) == {"a": b"x"}
    assert _disk(tmp_path, write).cut(Loss.NONE, fate) == {"a": b"x"}


def test_a_torn_write_leaves_old_and_new_blocks(tmp_path: Path) -> None:
    """Of a write over four blocks each may be old or new, whatever the others are, and never half."""
    old, new = Record("w", 1, 0, b"o" * 2048, b""), Record("w", 1, 0, b"n" * 2048, b"")
    disk = _disk(tmp_path, old, Record("s", 1, 0, b"", b""), Record("d", 9, 0, b"", b""), new)
    images = [disk.cut(Loss.TORN_512, random.Random(seed))["a"] for seed in range(200)]
    blocks = [[image[start : start + 512] for start in range(0, 2048, 512)] for image in images]
    assert {block for image in blocks for block in image} == {b"o" * 512, b"n" * 512}
    assert len({tuple(image) for image in blocks}) == 16
    assert {disk.cut(Loss.TORN_4096, random.Random(seed))["a"][:1] for seed in range(50)} == {b"o", b"n"}


def test_what_a_failed_sync_has_lost_stays_lost(tmp_path: Path) -> None:
    """A later sync that succeeds says nothing of what was written before the one that failed."""
    write, failed = Record("w", 1, 0, b"x", b""), Record("f", 1, 0, b"", b"")
    later = (Record("s", 1, 0, b"", b""), Record("d", 9, 0, b"", b""))
    found = set()
    for seed in range(20):
        write_image({}, tmp_path)
        disk = Disk(tmp_path, seed)
        for record in (Record("c", 1, 0, b"a", b""), write, failed, *later):
            disk.do(record)
        found.add(disk.cut(Loss.ALL, random.Random(0))["a"])
    assert found == {b"", b"x"}
