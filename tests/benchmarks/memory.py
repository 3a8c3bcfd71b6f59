"""Resident memory: idle, after deliveries, and how it grows with both."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

from tests.benchmarks.bench import Bench, Collector, Process, connected
from tests.benchmarks.figures import Figure, Part
from tests.benchmarks.viewing import PLAY_S, item, watch

MIB = 1 << 20
SETTLE_S = 1.5  # the store's thread is idle, and what starts late has started
N_FEW, BURST = 200, 50
HOUR_S = 3600


def measure(bench: Bench) -> Part:
    n_many, n_hours = (600, 2) if bench.is_quick else (20_000, 24)
    with bench.collector(is_tls=True) as collector:
        skeleton, delivering, naive = _skeletons(bench, collector)
        box = bench.fresh("memory")
        with bench.daemon(box, collector.url) as daemon:
            time.sleep(SETTLE_S)
            idle = daemon.rss_bytes() / MIB
            few = _after(bench, collector, daemon, box, N_FEW)
            many = _after(bench, collector, daemon, box, n_many - N_FEW)
        first_hour, last_hour = _viewing(bench, collector, n_hours)
    figures = [
        Figure("idle, before the first delivery", idle, "MiB", skeleton, "skeleton", most=1.05),
        Figure(f"after {N_FEW} pings", few, "MiB", delivering, "skeleton that delivers", most=1.05),
        Figure(f"growth from {N_FEW} to {n_many:,} pings", many - few, "MiB", at_most=0.3),
        Figure(
            f"growth over {n_hours} h of viewing, after the first", last_hour - first_hour, "MiB", at_most=1
        ),
        Figure("a naive build of the same stack, idle", naive, "MiB", skeleton, "skeleton"),
    ]
    return Part("Memory", figures)


def _skeletons(bench: Bench, collector: Collector) -> tuple[float, float, float]:
    """The skeleton idle, the skeleton after deliveries, the naive build."""
    arguments: dict[str, tuple[object, ...]] = {
        "skeleton": (),
        "delivering": (collector.url, N_FEW, bench.ca_file),
        "naive": (),
    }
    found = []
    for name, more in arguments.items():
        program = "naive" if name == "naive" else "skeleton"
        with bench.program(program, bench.fresh(name), *more) as (process, _):
            time.sleep(SETTLE_S)
            found.append(process.rss_bytes() / MIB)
    idle, delivering, naive = found
    return idle, delivering, naive


def _after(bench: Bench, collector: Collector, daemon: Process, box: Path, n_pings: int) -> float:
    """Memory once so many more pings were delivered, in bursts that leave no backlog."""
    context = ssl.create_default_context(cafile=bench.ca_file)
    n_before = n_sent = collector.stats(context)["n"]
    with connected(box) as player:
        player.sendall(item())
        while n_sent < n_before + n_pings:
            player.sendall(b'{"event":"adImpression"}\n' * BURST)
            n_sent += BURST
            while collector.stats(context)["n"] < n_sent:
                time.sleep(0.02)
    time.sleep(SETTLE_S)
    return daemon.rss_bytes() / MIB


def _viewing(bench: Bench, collector: Collector, n_hours: int) -> tuple[float, float]:
    """Memory after the first and after the last hour."""
    box = bench.fresh("viewing")
    after = []
    with bench.daemon(box, collector.url) as daemon:
        for _ in range(n_hours):
            for _ in range(HOUR_S // PLAY_S):
                with connected(box) as player:
                    watch(player, PLAY_S)
            after.append(daemon.rss_bytes() / MIB)
        time.sleep(SETTLE_S)
        after.append(daemon.rss_bytes() / MIB)
    return after[0], after[-1]
