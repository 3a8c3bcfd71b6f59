"""What a daemon that has nothing to do does."""

from __future__ import annotations

import time

from tests.benchmarks.bench import Bench, Process
from tests.benchmarks.figures import Figure, Part
from tests.benchmarks.start import NOBODY

SETTLE_S = 43.0
"""The store is looked through 30 s after the start, once, and its thread ends 10 s later."""


def measure(bench: Bench) -> Part:
    idle_s = 3.0 if bench.is_quick else 20.0
    with (
        bench.daemon(bench.fresh("idle"), NOBODY) as daemon,
        bench.program("skeleton", bench.fresh("idle")) as (skeleton, _),
    ):
        time.sleep(2.0 if bench.is_quick else SETTLE_S)
        before = [_account(process) for process in (daemon, skeleton)]
        time.sleep(idle_s)
        after = [_account(process) for process in (daemon, skeleton)]
    per_minute = 60 / idle_s
    ours, floor = (
        [(late - early) * per_minute for early, late in zip(*pair, strict=True)]
        for pair in zip(before, after, strict=True)
    )
    figures = [
        Figure("wake-ups a minute", ours[0], "", floor[0], "skeleton", at_most=0),
        Figure("bytes written a minute", ours[1], "B", floor[1], "skeleton", at_most=0),
        Figure("CPU a minute", ours[2] * 1000, "ms", floor[2] * 1000, "skeleton", at_most=0.5),
    ]
    return Part("Idle", figures)


def _account(process: Process) -> tuple[float, float, float]:
    return process.n_switches(), process.written_bytes(), process.cpu_s()
