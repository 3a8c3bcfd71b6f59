"""The checks by name, and how one is run.

A check returns None, or why it could show nothing on this machine.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path

RESULTS = Path("/out/results.jsonl")

Check = Callable[[], "str | None"]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """One more, under its name."""
    CHECKS[function.__name__] = function
    return function


def run_check(name: str) -> None:
    began_s = time.monotonic()
    try:
        no_effect = CHECKS[name]()
        verdict, detail = ("no effect", no_effect) if no_effect else ("ok", "")
    except Exception:
        verdict, detail = "failed", traceback.format_exc(limit=-3)
    _report(name, verdict, detail, time.monotonic() - began_s)


def _report(name: str, verdict: str, detail: str, took_s: float) -> None:
    with RESULTS.open("a") as results:
        line = {"name": name, "verdict": verdict, "detail": detail, "took_s": round(took_s, 2)}
        results.write(json.dumps(line) + "\n")
