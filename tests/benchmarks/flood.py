"""Events as fast as a core takes them: socket, wire and session here, json.loads alone in the floor."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

from tests.benchmarks.bench import Bench, Process, connection_to
from tests.benchmarks.figures import Figure, Part, median
from tests.benchmarks.start import NOBODY
from tests.benchmarks.viewing import item, tick

MIB = 1 << 20
N_TICKS = 1000
N_WARM = 4000
"""Ticks of each player before the clock starts: then the daemon has found out who all of them are."""


def measure(bench: Bench) -> Part:
    figures = []
    for n_clients in (1, 64):
        ours, floors, grown = [], [], []
        for _ in range(1 if bench.is_quick else 2):
            floors.append(_floor_per_cpu_s(bench, n_clients))
            rate, growth = _daemon_per_cpu_s(bench, n_clients)
            ours.append(rate)
            grown.append(growth)
        clients = "one client" if n_clients == 1 else f"{n_clients} clients"
        figures += [
            Figure(
                f"{clients}",
                median(ours),
                "events/CPU-s",
                median(floors),
                "epoll and json.loads",
                at_least=0.5,
            ),
            Figure(f"{clients}: memory grows by", median(grown), "MiB", at_most=1),
        ]
    return Part("Flood", figures)


def _floor_per_cpu_s(bench: Bench, n_clients: int) -> float:
    path = bench.fresh("flood") / "s"
    with bench.program("readers", "epoll", path) as (process, _):
        return _flood(bench, process, path, n_clients)[0]


def _daemon_per_cpu_s(bench: Bench, n_clients: int) -> tuple[float, float]:
    box = bench.fresh("flood")
    with bench.daemon(
        box, NOBODY, "socket.max_connections=128", "socket.max_connections_per_uid=128"
    ) as daemon:
        return _flood(bench, daemon, box / "run/player.sock", n_clients)


def _flood(bench: Bench, process: Process, path: Path, n_clients: int) -> tuple[float, float]:
    """Events a CPU second once all have begun, and how memory grows from then on, in MiB."""
    warm_s, run_s = (1.5, 0.5) if bench.is_quick else (5.0, 1.0)
    with contextlib.ExitStack() as stack:
        players = [stack.enter_context(connection_to(path)) for _ in range(n_clients)]
        stop, n_sent = threading.Event(), [0] * n_clients
        writers = [
            threading.Thread(target=_write, args=(player, stop, n_sent, idx))
            for idx, player in enumerate(players)
        ]
        for writer in writers:
            writer.start()
        time.sleep(warm_s)  # The first ping has brought httpx into memory by then, beside the flood.
        while min(n_sent) < N_WARM:
            time.sleep(0.05)
        began, cpu_s, rss = sum(n_sent), process.cpu_s(), process.rss_bytes()
        time.sleep(run_s)
        n_events, spent_s = sum(n_sent) - began, process.cpu_s() - cpu_s
        grown = process.rss_bytes() - rss
        stop.set()
        for writer in writers:
            writer.join()
    return n_events / spent_s, grown / MIB


def _write(player: socket.socket, stop: threading.Event, n_sent: list[int], idx: int) -> None:
    """Write ticks until told to stop; what the kernel holds back is not counted yet."""
    player.sendall(item())
    lines = b"".join(tick(n / 100) for n in range(N_TICKS))
    while not stop.is_set():
        player.sendall(lines)
        n_sent[idx] += N_TICKS
