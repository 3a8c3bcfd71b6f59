"""docs/performance.md: the measured part of it is replaced, what people wrote around it stays."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.bench import ROOT
from tests.benchmarks.figures import Part, shown, table
from tests.plots import Axis, Points, curves

PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

PLOTS = {
    "clients": (
        "Playback: cost by players",
        Axis("players that tick at 10 Hz", True),
        Axis("CPU seconds an hour"),
    ),
    "plays": ("Plays: cost by how many there were", Axis("plays before", True), Axis("CPU ms a play")),
    "waiting": ("Drain: cost by how many wait", Axis("waiting pings", True), Axis("CPU ms a ping")),
    "days": ("Uptime: memory by days", Axis("days of 4 h viewing"), Axis("MiB resident")),
}
"""Name of the plot's file → its title and axes."""


def write(parts: Sequence[Part]) -> None:
    """Put the figures and plots of `parts` into the page."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    words = [_draw(name, lines) for part in parts for name, lines in part.plots.items()]
    measured = "\n".join([machine(), "", table(parts), "### How cost grows", "", *words])
    PAGE.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}")


def machine() -> str:
    """What it was measured on."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    libraries = ", ".join(f"{name} {version(name)}" for name in ("trio", "httpx", "h11"))
    return (
        f"Machine: {os.cpu_count()} × {cpu}, Linux {platform.release()}; Python {platform.python_version()}, "
        f"{libraries}, SQLite {sqlite3.sqlite_version}. Load before the run: {os.getloadavg()[0]:.1f}. "
        f"Command: `python -m tests.benchmarks {' '.join(sys.argv[1:])}`."
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _draw(name: str, lines: Mapping[str, Points]) -> str:
    """Write the plot; the words that stand with it."""
    title, x, y = PLOTS[name]
    (PAGE.parent / f"performance-{name}.svg").write_text(curves(title, x, y, lines))
    first, last = lines["jwpingd"][0], lines["jwpingd"][-1]
    return (
        f"![{title}](performance-{name}.svg)\n\n"
        f"From {first[0]:,.0f} to {last[0]:,.0f} {x.label}: {shown(first[1])} to {shown(last[1])} {y.label}, "
        f"{last[0] / first[0]:,.0f} times as many for {last[1] / first[1]:.2f} times the cost.\n"
    )
