"""A backlog over TLS: against the latency of the collector, and as fast as a core goes."""

from __future__ import annotations

import ssl
import time

from tests.benchmarks import stores
from tests.benchmarks.bench import Bench, Collector
from tests.benchmarks.figures import Figure, Part

N_PINGS = 2000
DELAYS_MS = (50, 150)
CONCURRENCIES = (1, 4, 16, 64)
FLOOR_S = 3.0
"""A run is no longer than it must be: with few connections, fewer pings wait than 2,000."""

WAITING = (100, 1_000, 10_000, 100_000)
GIVE_UP_S = 100.0


def measure(bench: Bench) -> Part:
    concurrencies = (64,) if bench.is_quick else CONCURRENCIES
    figures = [
        figure
        for delay_ms in (DELAYS_MS[:1] if bench.is_quick else DELAYS_MS)
        for concurrency in concurrencies
        for figure in _delayed(bench, delay_ms, concurrency)
    ]
    for concurrency in concurrencies:
        rate, _ = _undelayed(bench, 500 if bench.is_quick else N_PINGS, concurrency)
        figures.append(Figure(f"no delay, {concurrency} at a time", rate, "pings/s", at_least=1300))
    cost = [
        (float(n), _undelayed(bench, n, 8)[1] * 1000) for n in (WAITING[:2] if bench.is_quick else WAITING)
    ]
    figures += [
        Figure(f"CPU of a ping when {n:,.0f} wait", ms, "ms", cost[0][1], "100") for n, ms in cost[1:]
    ]
    return Part("Drain", figures, plots={"waiting": {"jwpingd": cost}})


def _delayed(bench: Bench, delay_ms: int, concurrency: int) -> list[Figure]:
    """Ours, and the same requests as bare bytes: what no client on this machine can save."""
    delay_s = delay_ms / 1000
    n_pings = min(N_PINGS, round(FLOOR_S / delay_s * concurrency)) + concurrency
    what = f"{delay_ms} ms, {concurrency} at a time"
    with bench.collector(is_tls=True, delay_s=delay_s) as collector:
        stats, _ = _drain(bench, collector, n_pings, concurrency)
    assert stats["n"] >= n_pings, f"{stats['n']} of {n_pings} pings after {GIVE_UP_S:.0f} s"
    took_s, floor_s = _above_latency(stats, delay_s, concurrency)
    ours = Figure(what, took_s, "s", floor_s, f"latency, {n_pings:,} pings", most=1.05)
    with bench.collector(is_tls=True, delay_s=delay_s) as collector:
        arguments = (collector.port, n_pings, concurrency, bench.ca_file)
        with bench.program("bare", *arguments):
            stats = collector.stats(ssl.create_default_context(cafile=bench.ca_file))
    took_s, floor_s = _above_latency(stats, delay_s, concurrency)
    return [ours, Figure(f"{what}: bytes over TLS alone", took_s, "s", floor_s, "latency")]


def _above_latency(stats: dict[str, float], delay_s: float, concurrency: int) -> tuple[float, float]:
    """Seconds it took, and seconds of latency in them.

    The clock starts when the last connection has had its first request: handshakes are not latency.
    """
    floor_s = (stats["n"] - stats["n_at_all"]) / concurrency * delay_s + delay_s
    return stats["last_s"] - stats["all_s"], floor_s


def _undelayed(bench: Bench, n_pings: int, concurrency: int) -> tuple[float, float]:
    """Pings a second, and CPU seconds of one; of those that were delivered before it is given up."""
    with bench.collector(is_tls=True) as collector:
        stats, cpu_s = _drain(bench, collector, n_pings, concurrency)
    return (stats["n"] - 1) / (stats["last_s"] - stats["first_s"]), cpu_s / stats["n"]


def _drain(
    bench: Bench, collector: Collector, n_pings: int, concurrency: int
) -> tuple[dict[str, float], float]:
    """What the collector counted, and the daemon's CPU seconds for it; those of its start are left out."""
    box = bench.fresh("drain")
    stores.waiting(box / "state", n_pings)
    context = ssl.create_default_context(cafile=bench.ca_file)
    idle_s = _start_cpu_s(bench, collector)
    with bench.daemon(
        box, collector.url, f"uplink.concurrency={concurrency}", "spool.max_bytes=1073741824"
    ) as daemon:
        deadline_s = time.monotonic() + GIVE_UP_S
        stats = collector.stats(context)
        while stats["n"] < n_pings and time.monotonic() < deadline_s:
            time.sleep(0.2)
            stats = collector.stats(context)
        time.sleep(0.2)
        return collector.stats(context), daemon.cpu_s() - idle_s


def _start_cpu_s(bench: Bench, collector: Collector) -> float:
    with bench.daemon(bench.fresh("drain"), collector.url) as daemon:
        return daemon.cpu_s()
