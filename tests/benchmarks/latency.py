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
N_WARM = 5
EVENT = b'{"event":"adImpression"}\n'


def measure(bench: Bench) -> Part:
    n_rounds, n_events = (1, 40) if bench.is_quick else (7, 100)
    ours, direct = _rounds(bench, n_rounds, n_events)
    (p50, p95), (floor, floor_p95) = (
        [median(each) for each in zip(*found, strict=True)] for found in (ours, direct)
    )
    figures = [
        Figure("event to GET, p50", p50, "ms", floor, "commit and GET in line", at_most=3.2),
        Figure("event to GET, p95", p95, "ms", p50, "p50", most=1.3),
        Figure("commit and GET in line, p95", floor_p95, "ms", floor, "its p50"),
    ]
    tails = [[high / middle for middle, high in found] for found in (ours, direct)]
    note = (
        f"In {n_rounds} rounds of {n_events} events p95 was {min(tails[0]):.2f} to {max(tails[0]):.2f} "
        f"times p50; in line, {min(tails[1]):.2f} to {max(tails[1]):.2f} times."
    )
    return Part("Latency", figures, [note])


def _rounds(
    bench: Bench, n_rounds: int, n_events: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(p50, p95) of the daemon and of the shortest way, in turn: what else the machine does meets both."""
    box, directory = bench.fresh("latency"), bench.fresh("direct")
    with (
        bench.collector(is_tls=True) as collector,
        bench.collector(is_tls=True) as its_collector,
        bench.daemon(box, collector.url),
        connected(box) as player,
        bench.program("direct", directory, its_collector.url, bench.ca_file),
        connection_to(directory / "s") as its_player,
    ):
        player.sendall(item())
        time.sleep(1)  # The first ping brings what delivery needs into memory.
        ours, direct = [], []
        for _ in range(n_rounds):
            ours.append(_quantiles(bench, collector, player, n_events))
            direct.append(_quantiles(bench, its_collector, its_player, n_events))
        return ours, direct


def _quantiles(
    bench: Bench, collector: Collector, player: socket.socket, n_events: int
) -> tuple[float, float]:
    """p50 and p95 in ms, over a connection that is warm."""
    context = ssl.create_default_context(cafile=bench.ca_file)
    _write(player, N_WARM)
    collector.stats(context, "/reset")
    written = _write(player, n_events)
    arrived = collector.stats(context)["times"]
    assert len(arrived) == n_events, f"{len(arrived)} of {n_events} pings arrived"
    late_ms = [(there - here) * 1000 for here, there in zip(written, arrived, strict=True)]
    cuts = statistics.quantiles(late_ms, n=20)
    return cuts[9], cuts[18]


def _write(player: socket.socket, n_events: int) -> list[float]:
    """When each was written; at the end all have arrived."""
    written = []
    for _ in range(n_events):
        written.append(time.monotonic())
        player.sendall(EVENT)
        time.sleep(INTERVAL_S)
    time.sleep(0.5)
    return written
