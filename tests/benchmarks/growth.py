"""How cost grows with the plays and with the days that a daemon has behind it."""

from __future__ import annotations

import time

from tests.benchmarks.bench import Bench, connected
from tests.benchmarks.figures import Figure, Part
from tests.benchmarks.viewing import PLAY_S, watch

MIB = 1 << 20
PLAYS = (100, 300, 1000, 3000)
MAX_TIMED = 500
SETTLE_S = 1.5  # what is delivered is deleted a second later
SHORT_PLAY_S = 4
DAYS = 10
PLAYS_A_DAY = 27
"""Of nine minutes: four hours."""

TICKS_PER_S = 4


def measure(bench: Bench) -> Part:
    with bench.collector(is_tls=True) as collector:
        cost = _cost_of_plays(bench, collector.url)
        memory = _memory_of_days(bench, collector.url)
    figures = [
        Figure(f"CPU of a play after {n:,.0f}", ms, "ms", cost[0][1], f"after {cost[0][0]:.0f}")
        for n, ms in cost[1:]
    ]
    n_days, last = memory[-1]
    figures.append(
        Figure(f"memory after {n_days:.0f} days of 4 h viewing", last, "MiB", memory[0][1], "after one")
    )
    return Part("Growth", figures, plots={"plays": {"jwpingd": cost}, "days": {"jwpingd": memory}})


def _cost_of_plays(bench: Bench, url: str) -> list[tuple[float, float]]:
    """CPU milliseconds of a short play, stored and delivered, by how many there were; the last are timed."""
    box, cost, n_before = bench.fresh("plays"), [], 0
    with bench.daemon(box, url) as daemon, connected(box) as player:
        for n_plays in PLAYS[:2] if bench.is_quick else PLAYS:
            n_timed = min(n_plays - n_before, MAX_TIMED)
            for _ in range(n_plays - n_before - n_timed):
                watch(player, SHORT_PLAY_S, TICKS_PER_S)
            began_s = daemon.cpu_s()
            for _ in range(n_timed):
                watch(player, SHORT_PLAY_S, TICKS_PER_S)
            time.sleep(SETTLE_S)
            cost.append((float(n_plays), (daemon.cpu_s() - began_s) / n_timed * 1000))
            n_before = n_plays
    return cost


def _memory_of_days(bench: Bench, url: str) -> list[tuple[float, float]]:
    """MiB after each day of four hours' viewing."""
    box, memory = bench.fresh("days"), []
    with bench.daemon(box, url) as daemon:
        for day in range(1, (2 if bench.is_quick else DAYS) + 1):
            for _ in range(PLAYS_A_DAY):
                with connected(box) as player:
                    watch(player, PLAY_S, TICKS_PER_S)
            memory.append((float(day), daemon.rss_bytes() / MIB))
    return memory
