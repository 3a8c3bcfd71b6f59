"""From an event that is written to its GET at a collector, committed and synced in between."""

from __future__ import annotations

import socket
import ssl
import statistics
import time

from tests.benchmarks.bench import Bench, Collector, connected, connection_to
from tests.benchmarks.figures import Figure, Part, median
from tests.benchmarks.viewing import item

INTERVAL_S = 0.02
EVENT = b'{"event":"adImpression"}\n'


def measure(bench: Bench) -> Part:
    n_events = 40 if bench.is_quick else 150
    rounds = [_both(bench, n_events) for _ in range(1 if bench.is_quick else 3)]
    ours, direct = ([each[idx] for each in rounds] for idx in (0, 1))
    p50, p95 = (median([quantiles[idx] for quantiles in ours]) for idx in (0, 1))
    floor, floor_p95 = (median([quantiles[idx] for quantiles in direct]) for idx in (0, 1))
    figures = [
        Figure("event to GET, p50", p50, "ms", floor, "commit and GET in line", at_most=3.2),
        Figure("event to GET, p95", p95, "ms", p50, "p50", most=1.3),
        Figure("commit and GET in line, p95", floor_p95, "ms", floor, "its p50"),
    ]
    return Part("Latency", figures)


def _both(bench: Bench, n_events: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """(p50, p95) of the daemon and of the shortest way."""
    with bench.collector(is_tls=True) as collector:
        box = bench.fresh("latency")
        with bench.daemon(box, collector.url), connected(box) as player:
            player.sendall(item())
            ours = _quantiles(bench, collector, player, n_events)
        directory = bench.fresh("direct")
        with (
            bench.program("direct", directory, collector.url, bench.ca_file),
            connection_to(directory / "s") as player,
        ):
            return ours, _quantiles(bench, collector, player, n_events)


def _quantiles(
    bench: Bench, collector: Collector, player: socket.socket, n_events: int
) -> tuple[float, float]:
    """p50 and p95 in ms, over a connection that is warm."""
    context = ssl.create_default_context(cafile=bench.ca_file)
    for _ in range(5):
        player.sendall(EVENT)
        time.sleep(0.2)
    collector.stats(context, "/reset")
    written = []
    for _ in range(n_events):
        written.append(time.monotonic())
        player.sendall(EVENT)
        time.sleep(INTERVAL_S)
    time.sleep(0.5)
    arrived = collector.stats(context)["times"]
    assert len(arrived) == n_events, f"{len(arrived)} of {n_events} pings arrived"
    late_ms = [(there - here) * 1000 for here, there in zip(written, arrived, strict=True)]
    cuts = statistics.quantiles(late_ms, n=20)
    return cuts[9], cuts[18]
