"""Cuts the power at every write and sync that the store makes, and looks what is left.

    python -m tests.faults.power_cuts --cuts 12000

The real dialogue, plays, writer and spool run through some scenarios while `recorder` writes down
what they do to their files.  `disk` then says what a disk may hold after each single operation, for
five ways of losing what was not synced; each time the store is opened and held against what had been
promised by then.  There are some 65,000 such cuts; the command makes as many of them as it is told.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from jwpingd.errors import StoreError
from jwpingd.spool.limits import PAGE_BYTES
from tests.faults import recorder
from tests.faults.disk import Disk, Image, Loss, read_image, write_image
from tests.faults.oracle import Promise, promises
from tests.faults.recorder import Record
from tests.faults.workload import SCENARIOS, Scenario
from tests.processes import BoxUnderTest, free_port
from tests.spool_values import SMALL, entry, opened, put, reopen, view

_PORTION = 500  # cuts that one process makes at a time


@dataclass(slots=True)
class Tally:
    """What came of cuts: `n_checked` acknowledged pings were looked for; `faults` are sentences."""

    n_cuts: Counter[tuple[str, Loss]] = field(default_factory=Counter)
    n_checked: int = 0
    n_exact: int = 0
    n_starts: int = 0
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in what came of other cuts."""
        self.n_cuts += other.n_cuts
        self.n_checked += other.n_checked
        self.n_exact += other.n_exact
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.faults += other.faults


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes after record `at`."""

    at: int
    loss: Loss


@dataclass(frozen=True, slots=True)
class Recording:
    """A scenario that was run in `directory`: the files before it, and what was done to them."""

    scenario: str
    seed: int
    directory: Path
    disk: Disk
    records: Sequence[Record]

    def cuts(self) -> list[Cut]:
        """Every one that can be made: after each operation, with each kind of loss."""
        points = [idx for idx, record in enumerate(self.records) if record.kind != "n"]
        return [Cut(at, loss) for at in points for loss in Loss]

    def is_before_sync(self, cut: Cut) -> bool:
        """Whether the next operation syncs what was written last."""
        return self.records[cut.at].kind == "w" and self.records[cut.at + 1].kind == "s"

    def images(self, cuts: Iterable[Cut]) -> Iterator[tuple[Cut, Image]]:
        """What is on the disk after each of them; they stand in order."""
        disk, n_done = copy.deepcopy(self.disk), 0
        for cut in cuts:
            for record in self.records[n_done : cut.at + 1]:
                disk.do(record)
            n_done = cut.at + 1
            yield cut, disk.cut(cut.loss, random.Random(f"{self.seed} {cut}"))


def make(scenario: str, seed: int, library: Path, directory: Path) -> Recording:
    """Run a scenario in `directory`, and check that what was recorded is all that was done."""
    state = directory / "state"
    state.mkdir(parents=True)
    if SCENARIOS[scenario].is_cut:
        _cut_before(make("a box in use", seed, library, directory / "before"), state)
    else:
        _rest(state, SCENARIOS[scenario])
    disk = Disk(state, seed)
    arguments = (str(state), scenario, str(seed))
    records = recorder.record(library, state, directory / "log", "tests.faults.workload", *arguments)
    played = copy.deepcopy(disk)
    for record in records:
        played.do(record)
    if all(record.kind != "f" for record in records):
        assert played.now() == read_image(state), "the recorder has missed something"
    return Recording(scenario, seed, directory, disk, records)


def _cut_before(recording: Recording, state: Path) -> None:
    """What a cut in the middle of a transaction has left."""
    cuts = recording.cuts()
    in_the_middle = next(
        cut for cut in cuts[len(cuts) // 2 :] if cut.loss is Loss.TORN_512 and recording.is_before_sync(cut)
    )
    for _, image in recording.images([in_the_middle]):
        write_image(image, state)


def _rest(state: Path, scenario: Scenario) -> None:
    """Pings that wait before the recording begins."""
    if not scenario.n_resting:
        return
    plays = itertools.cycle(f"play{number:08d}" for number in range(1, 6))
    kinds = itertools.cycle(["t", "t", "t", "t", "t", "gab"])
    entries = [
        entry(idx, play=next(plays), kind=next(kinds), n_bytes=scenario.resting_bytes)
        for idx in range(1, scenario.n_resting + 1)
    ]
    spool = opened(state)
    for first in range(0, len(entries), 50):
        put(spool, *entries[first : first + 50])
    spool.close()
    with (state / "spool.db").open("r+b") as database:
        for page in scenario.zeroed_pages:
            database.seek((page - 1) * PAGE_BYTES)
            database.write(bytes(PAGE_BYTES))


def pull_plugs(recording: Recording, cuts: Sequence[Cut]) -> Tally:
    """Make these cuts, and see each time what the store opens with."""
    tally, held = Tally(), promises(recording.records)
    with tempfile.TemporaryDirectory(dir=recording.directory) as scratch:
        for number, (cut, image) in enumerate(recording.images(cuts)):
            directory = Path(scratch) / str(number)
            write_image(image, directory)
            promise = held[cut.at]
            began_s = time.monotonic()
            faults = faults_after(directory, promise, goes_on=number % 8 == 0)
            tally.slowest_s = max(tally.slowest_s, time.monotonic() - began_s)
            tally.n_cuts[recording.scenario, cut.loss] += 1
            tally.n_checked += len(promise.acknowledged & promise.before.ids & promise.after.ids)
            tally.n_exact += promise.is_exact
            tally.faults += [
                f"{recording.scenario}, record {cut.at}, {cut.loss.value}: {what}" for what in faults
            ]
            shutil.rmtree(directory)
    return tally


def faults_after(directory: Path, promise: Promise, *, goes_on: bool) -> list[str]:
    """Open what a cut has left; `goes_on`: use it further, and open it once more."""
    try:
        spool = opened(directory)
        faults = promise.faults_of(spool)
        if goes_on:
            put(spool, entry(spool.next_id()))
            before = view(spool)
            reopen(spool)
            faults += [] if view(spool) == before else ["it is not the same when it is opened again"]
        spool.close()
    except (StoreError, AssertionError) as exc:
        return [f"it does not open: {exc}"]
    return faults


def start_daemon(directory: Path, image: Image) -> list[str]:
    """What is wrong with a real daemon that starts on what a cut has left."""
    write_image(image, directory / "expected")
    spool = opened(directory / "expected")
    n_wills = sum(checkpoint.will is not None for checkpoint in spool.checkpoints())
    expected, lost = spool.account(), spool.account().dropped["damage"]
    spool.close()
    write_image(image, directory / "state")
    box = BoxUnderTest(
        directory, free_port(), f"spool.max_bytes={SMALL.max_bytes}", "uplink.start_jitter_s=3600"
    )
    box.start()
    status = box.status()
    box.stop()
    # Nobody comes back for these plays: what they left as their will waits now, too.
    is_right = status["accepted"] == expected.accepted + n_wills and status["dropped"]["damage"] == lost
    gone = sum(status[name] for name in ("delivered", "waiting", "set_aside", "folded"))
    is_balanced = status["accepted"] == gone + sum(status["dropped"].values())
    return (
        []
        if is_right and is_balanced
        else [f"the daemon says {status}, expected {expected} and {n_wills} wills"]
    )


def main(arguments: Sequence[str]) -> int:
    """Status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cuts", type=int, default=12_000, help="how many (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=20, help="real daemons to start (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the scenarios and the losses (default: 1)")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="power-cuts-") as directory:
        tally = run(args.cuts, args.starts, args.seed, Path(directory))
    print(table(tally))
    for fault in tally.faults[:20]:
        print(fault)
    return 1 if tally.faults else 0


def run(n_cuts: int, n_starts: int, seed: int, directory: Path, n_processes: int = 2) -> Tally:
    """Record every scenario and make so many cuts, as many of each as there can be."""
    recordings = record_all(seed, directory)
    tally = Tally()
    with ProcessPoolExecutor(n_processes) as pool:
        for done in pool.map(pull_plugs, *zip(*_portions(recordings, n_cuts), strict=True)):
            tally.add(done)
            _show(f"{tally.n_cuts.total()} cuts, {len(tally.faults)} faults")
    for number in range(n_starts):
        recording = recordings[number % len(recordings)]
        cut = random.Random(number).choice(recording.cuts())
        for _, image in recording.images([cut]):
            tally.faults += start_daemon(directory / f"box-{number}", image)
        tally.n_starts += 1
    return tally


def record_all(seed: int, directory: Path) -> list[Recording]:
    """All scenarios, each in a directory of its own."""
    library = recorder.build(directory)
    return [
        make(scenario, seed + number, library, directory / str(number))
        for number, scenario in enumerate(SCENARIOS)
    ]


def _portions(recordings: Sequence[Recording], n_cuts: int) -> Iterator[tuple[Recording, list[Cut]]]:
    """All cuts, or evenly chosen ones where they are too many; small scenarios leave theirs to the others."""
    n_left = n_cuts
    ordered = sorted(recordings, key=lambda recording: len(recording.cuts()))
    for idx, recording in enumerate(ordered):
        cuts = recording.cuts()
        n_here = min(len(cuts), n_left // (len(ordered) - idx))
        n_left -= n_here
        chosen = [cuts[number * len(cuts) // n_here] for number in range(n_here)]
        for first in range(0, n_here, _PORTION):
            yield recording, chosen[first : first + _PORTION]


def _show(progress: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress}", end="", file=sys.stderr, flush=True)


def table(tally: Tally) -> str:
    """The result, as rows of Markdown."""
    rows = ["| scenario | " + " | ".join(loss.value for loss in Loss) + " |"]
    rows.append("|---" * (len(Loss) + 1) + "|")
    for scenario in SCENARIOS:
        rows.append(
            f"| {scenario} | " + " | ".join(str(tally.n_cuts[scenario, loss]) for loss in Loss) + " |"
        )
    rows.append("")
    rows.append(
        f"{tally.n_cuts.total()} cuts; {tally.n_checked} times an acknowledged ping was looked for;"
        f" {tally.n_exact} cuts in or around a single transaction, which was whole or not there;"
        f" {tally.n_starts} real daemons started on what was left;"
        f" slowest opening with all checks {tally.slowest_s * 1000:.0f} ms; {len(tally.faults)} faults."
    )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
