"""The nearest that others have: snowplow-tracker, which sends each event with a GET from memory."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.bench import PROGRAMS, Bench, Collector, Process, ask, connected
from tests.benchmarks.figures import Figure, Part
from tests.benchmarks.viewing import item
from tests.processes import free_port

NAME = "snowplow-tracker"
MIB = 1 << 20
N_EVENTS = 1000
N_OFFLINE, OFFLINE_S, ARRIVAL_S = 50, 60.0, 15.0
EVENT = b'{"event":"adImpression"}\n'
"""What makes a ping of its own, as every event of the peer's does."""


def measure(bench: Bench) -> Part:
    if bench.is_quick:
        return Part("A peer", skipped="installing it takes longer than a quick run may")
    python, problem = _installed(bench.directory / "peer")
    if python is None:
        return Part("A peer", skipped=f"{NAME} could not be installed ({problem})")
    with bench.collector(is_tls=False) as collector:
        theirs = _peers_events(bench, python, collector, N_EVENTS)
        ours = _our_events(bench, collector, N_EVENTS)
    with ThreadPoolExecutor() as pool:  # They mostly wait, so all are offline at the same time.
        theirs_lost = [pool.submit(_lost_by_peer, bench, python, is_killed) for is_killed in (False, True)]
        ours_lost = [pool.submit(_lost_by_us, bench, is_killed) for is_killed in (False, True)]
    lost, our_lost = ([each.result() for each in group] for group in (theirs_lost, ours_lost))
    figures = [
        Figure("events delivered, each with its GET", ours["per_s"], "per s", theirs["per_s"], NAME),
        Figure("CPU of an event", ours["cpu_ms"], "ms", theirs["cpu_ms"], NAME),
        Figure("memory after that", ours["rss"], "MiB", theirs["rss"], NAME),
        Figure(f"lost of {N_OFFLINE} in {OFFLINE_S:.0f} s offline", our_lost[0], "events", lost[0], NAME),
        Figure(f"lost of {N_OFFLINE} when it is killed offline", our_lost[1], "events", lost[1], NAME),
    ]
    return Part("A peer", figures)


def _installed(directory: Path) -> tuple[Path | None, str]:
    """An interpreter that has the peer; why not, where there is none."""
    python = directory / "bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NAME]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True, capture_output=True)
        subprocess.run(pip, check=True, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        return None, "pip takes too long"
    except subprocess.CalledProcessError as exc:
        return None, exc.stderr.decode().strip().splitlines()[-1] if exc.stderr else str(exc)
    return python, ""


@contextlib.contextmanager
def _peer(python: Path, port: int, n_events: int) -> Iterator[tuple[Process, dict[str, Any]]]:
    """The peer, once it has tracked them, and what it says of that."""
    command = [str(python), str(PROGRAMS / "snowplow.py"), str(port), str(n_events), "stay"]
    popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert popen.stdout is not None
    process = Process(popen)
    try:
        yield process, json.loads(popen.stdout.readline())
    finally:
        process.stop()


def _peers_events(bench: Bench, python: Path, collector: Collector, n_events: int) -> dict[str, float]:
    with _peer(python, collector.port, n_events) as (_, spent):
        return {
            "per_s": n_events / spent["wall_s"],
            "cpu_ms": spent["cpu_s"] / n_events * 1000,
            "rss": spent["rss_bytes"] / MIB,
        }


def _our_events(bench: Bench, collector: Collector, n_events: int) -> dict[str, float]:
    box = bench.fresh("ours")
    with bench.daemon(box, collector.url) as daemon, connected(box) as player:
        player.sendall(item() + EVENT)
        time.sleep(1.0)
        collector.stats(None, "/reset")
        cpu_s, began_s = daemon.cpu_s(), time.monotonic()
        player.sendall(EVENT * n_events)
        _wait_for(collector, n_events)
        spent_s = daemon.cpu_s() - cpu_s
        last_s = collector.stats(None)["last_s"]
        rss = daemon.rss_bytes() / MIB
    return {"per_s": n_events / (last_s - began_s), "cpu_ms": spent_s / n_events * 1000, "rss": rss}


def _lost_by_peer(bench: Bench, python: Path, is_killed: bool) -> float:
    port = free_port()
    with _peer(python, port, N_OFFLINE - 1) as (process, _):  # It tracks one before it counts.
        if is_killed:
            process.popen.send_signal(signal.SIGKILL)
            process.popen.wait()
        else:
            time.sleep(OFFLINE_S)
        with bench.collector(is_tls=False, port=port) as collector:
            return N_OFFLINE - _arrived(collector, N_OFFLINE, ARRIVAL_S)


def _lost_by_us(bench: Bench, is_killed: bool) -> float:
    port, box = free_port(), bench.fresh("ours")
    url = f"http://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(bench.daemon(box, url, "uplink.retry_max_s=5", is_killed=is_killed))
        player = stack.enter_context(connected(box))
        ask(player, item() + EVENT * (N_OFFLINE - 2) + b'{"event":"adImpression","id":1}\n')
        if is_killed:
            daemon.popen.send_signal(signal.SIGKILL)
            daemon.popen.wait()
            stack.enter_context(bench.daemon(box, url, "uplink.retry_max_s=5"))
        else:
            time.sleep(OFFLINE_S)
        with bench.collector(is_tls=False, port=port) as collector:
            return max(0.0, N_OFFLINE - _arrived(collector, N_OFFLINE, ARRIVAL_S))


def _arrived(collector: Collector, n_expected: int, patience_s: float) -> int:
    _wait_for(collector, n_expected, patience_s)
    return int(collector.stats(None)["n"])


def _wait_for(collector: Collector, n: int, patience_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + patience_s
    while collector.stats(None)["n"] < n and time.monotonic() < deadline_s:
        time.sleep(0.1)
