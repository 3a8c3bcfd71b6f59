"""From exec to a socket that can be connected to, to the first answer, and to READY=1."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.benchmarks.bench import PATIENCE_S, Bench, Process, ask, connection_to
from tests.benchmarks.figures import Figure, Part, median
from tests.benchmarks.stores import fill

BARE, READING, IMPORTING = "pass", "import argparse, tomllib", "import trio, sqlite3, json"
NOBODY = "http://127.0.0.1:9"


def measure(bench: Bench) -> Part:
    """The daemon and its floors in turn."""
    floors: dict[str, list[float]] = {BARE: [], READING: [], IMPORTING: []}
    empty: list[tuple[float, float, float]] = []
    full: list[float] = []
    box, full_box = _configured(bench.fresh("start")), _configured(bench.fresh("full"))
    _daemon_ms(bench, box)  # The very first start makes ids and tables.
    fill(full_box / "state", n_bytes=(1 if bench.is_quick else 16) << 20)
    for _ in range(3 if bench.is_quick else 15):
        for code, times in floors.items():
            times.append(_floor_ms(bench, code))
        empty.append(_daemon_ms(bench, box))
        full.append(_daemon_ms(bench, full_box)[1])
    connectable, answered, ready = (median(times) for times in zip(*empty, strict=True))
    bare, reading, importing = (median(times) for times in floors.values())
    figures = [
        Figure("socket connectable", connectable, "ms", reading, f"`{READING}`", most=1.1),
        Figure("first line answered", answered, "ms", importing, f"`{IMPORTING}`", most=1.1),
        Figure("READY=1", ready, "ms", importing, f"`{IMPORTING}`", most=1.1),
        Figure("a full 16 MiB store adds", median(full) - answered, "ms", at_most=100),
        Figure("an interpreter that does nothing", bare, "ms"),
        Figure("first line without bytecode", _without_bytecode_ms(bench, box), "ms", answered, "with it"),
    ]
    return Part("Start", figures)


def _configured(box: Path) -> Path:
    """With a file to read, as a box has it."""
    (box / "etc").mkdir()
    (box / "etc/config.toml").write_text('[socket]\nmode = "0660"\n\n[log]\nlevel = "warning"\n')
    return box


def _floor_ms(bench: Bench, code: str) -> float:
    """Until the code has run; how the interpreter ends does not count."""
    began_s = time.perf_counter()
    command = [*bench.python(), "-c", f"{code}\nprint(flush=True)"]
    with subprocess.Popen(command, env=bench.environment(), stdout=subprocess.PIPE) as popen:
        assert popen.stdout is not None
        popen.stdout.read(1)
        return (time.perf_counter() - began_s) * 1000


def _daemon_ms(bench: Bench, box: Path, **environment: str) -> tuple[float, float, float]:
    """Until connected, until answered, until ready."""
    shutil.rmtree(box / "run", ignore_errors=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        (box / "notify").unlink(missing_ok=True)
        systemd.bind(str(box / "notify"))
        systemd.settimeout(PATIENCE_S)
        told = bench.daemon_environment(box, NOTIFY_SOCKET=str(box / "notify")) | environment
        began_s = time.perf_counter()
        popen = subprocess.Popen(bench.daemon_command(NOBODY), env=told, stderr=subprocess.DEVNULL)
        process = Process(popen)
        with connection_to(box / "run/player.sock", process) as player:
            connected_s = time.perf_counter()
            player.sendall(b'{"event":"hello","id":1}\n')
            while b"READY=1" not in systemd.recv(4096):
                pass
            ready_s = time.perf_counter()
            ask(player, b"")
            answered_s = time.perf_counter()
        process.stop()
    return tuple((at_s - began_s) * 1000 for at_s in (connected_s, answered_s, ready_s))  # type: ignore[return-value]


def _without_bytecode_ms(bench: Bench, box: Path) -> float:
    nowhere = {"PYTHONPYCACHEPREFIX": str(bench.fresh("no-bytecode")), "PYTHONDONTWRITEBYTECODE": "1"}
    rounds = range(1 if bench.is_quick else 3)
    return median([_daemon_ms(bench, box, **nowhere)[1] for _ in rounds])
