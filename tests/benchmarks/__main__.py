"""Measure, print, and on request write docs/performance.md."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

import trustme

from tests.benchmarks import (
    awake,
    drain,
    flash,
    flood,
    growth,
    idle,
    late_import,
    latency,
    memory,
    page,
    peer,
    playback,
    start,
)
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Part, table

PARTS = {
    "start": start.measure,
    "import": late_import.measure,
    "memory": memory.measure,
    "idle": idle.measure,
    "playback": playback.measure,
    "flood": flood.measure,
    "drain": drain.measure,
    "latency": latency.measure,
    "flash": flash.measure,
    "growth": growth.measure,
    "peer": peer.measure,
}


SLEEPERS = {"playback", "drain", "latency"}
"""What is measured there sleeps most of the time: see `awake`."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="under a minute, and rough")
    parser.add_argument("--write", action="store_true", help="write the figures to docs/performance.md")
    args = parser.parse_args()
    if args.write and (args.parts or args.quick):
        parser.error("--write takes all parts, and none of them quick")
    unknown = set(args.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="jwpingd-benchmarks-") as directory:
        bench = Bench(Path(directory), args.quick, trustme.CA())
        bench.prepare()
        parts = [_measured(name, bench) for name in args.parts or PARTS]
    print(f"{page.machine()}\n\n{table(parts)}")
    if args.write:
        page.write(parts)


def _measured(name: str, bench: Bench) -> Part:
    began_s = time.monotonic()
    try:
        with awake.cores() if name in SLEEPERS else contextlib.nullcontext():
            part = PARTS[name](bench)
    except (AssertionError, OSError) as exc:
        part = Part(name.capitalize(), skipped=" ".join(str(exc).split())[:300] or type(exc).__name__)
    print(f"{name}: {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    return part


if __name__ == "__main__":
    main()
