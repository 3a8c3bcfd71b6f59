"""Players that tick ten times a second, as they do while somebody watches."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.bench import Bench, Process, connection_to
from tests.benchmarks.figures import Figure, Part
from tests.benchmarks.viewing import TICKS_PER_S, item, tick

HOUR_S = 3600
SETTLE_S = 2.0
GOALS = {1: 0.33, 64: 0.30}
"""Against a plain trio reader: 4 of 12 and 95 of 319 CPU-s an hour, on the machine the goals come from."""

CURVE = (1, 8, 64)
READERS = {"epoll": "epoll and json.loads", "trio": "a plain trio reader", "rounds": "trio, twice a second"}


def measure(bench: Bench) -> Part:
    """The daemon and its floors at the same time, so that all have the same machine."""
    run_s = 3.0 if bench.is_quick else 20.0
    figures, ours, floors = [], [], []
    for n_players in (1, 64) if bench.is_quick else CURVE:
        daemon_s, *readers_s = _cpu_s_per_hour(bench, n_players, run_s)
        floor_s = dict(zip(READERS, readers_s, strict=True))
        ours.append((float(n_players), daemon_s))
        floors.append((float(n_players), floor_s["epoll"]))
        if n_players in GOALS:
            who = "one player, an hour" if n_players == 1 else f"{n_players} players, an hour"
            most = GOALS[n_players]
            figures += [
                Figure(who, daemon_s, "CPU-s", floor_s["trio"], READERS["trio"], most=most),
                *(
                    Figure(f"{who}: the same", daemon_s, "CPU-s", floor_s[name], READERS[name])
                    for name in ("rounds", "epoll")
                ),
            ]
    return Part("Playback at 10 Hz", figures, plots={"clients": {"jwpingd": ours, READERS["epoll"]: floors}})


def _cpu_s_per_hour(bench: Bench, n_players: int, run_s: float) -> list[float]:
    """The daemon's, then those of `READERS`."""
    box, directory = bench.fresh("playback"), bench.fresh("readers")
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(bench.collector(is_tls=True))
        daemon = stack.enter_context(
            bench.daemon(
                box, collector.url, "socket.max_connections=128", "socket.max_connections_per_uid=128"
            )
        )
        readers = [
            stack.enter_context(bench.program("readers", name, directory / name))[0] for name in READERS
        ]
        paths = [box / "run/player.sock", *(directory / name for name in READERS)]
        groups = [[stack.enter_context(_player(path)) for _ in range(n_players)] for path in paths]
        return _ticking([daemon, *readers], groups, run_s)


def _player(path: Path) -> socket.socket:
    player = connection_to(path)
    player.sendall(item())
    return player


def _ticking(
    processes: Sequence[Process], groups: Sequence[Sequence[socket.socket]], run_s: float
) -> list[float]:
    """Tick in turn, spread evenly, and read the processes' clocks once all have settled."""
    n_players = len(groups[0])
    began_s = time.monotonic()
    before: list[float] = []
    n_ticks = round((SETTLE_S + run_s) * TICKS_PER_S)
    for n in range(n_ticks):
        if n == round(SETTLE_S * TICKS_PER_S):
            before = [process.cpu_s() for process in processes]
        for idx in range(n_players):
            due_s = began_s + (n + idx / n_players) / TICKS_PER_S
            time.sleep(max(0.0, due_s - time.monotonic()))
            for group in groups:
                group[idx].sendall(tick(n / TICKS_PER_S))
    spent = [process.cpu_s() - early for process, early in zip(processes, before, strict=True)]
    return [each * HOUR_S / run_s for each in spent]
