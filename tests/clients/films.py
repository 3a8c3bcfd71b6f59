"""The film that every client plays while its daemon dies, and what must come of it."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jwpingd import film
from jwpingd.film import Ad, FilmEvent, Interlude, Jump, Pause
from tests.processes import BoxUnderTest, CollectorProcess, wait_until

CLIENTS = Path(__file__).parent.parent.parent / "docs/clients"
Bench = tuple[BoxUnderTest, CollectorProcess]
DURATION_S = 40.0
JUMP = Jump(10.0, 22.0)
EXPECTED = Counter({"e": 1, "s": 1, "i": 2, "vs": 1, "gab": 1})
WATCHED_S = 27  # 27.75: the last tick before the jump at 10 s is that of 9.75 s


def dated_film() -> list[tuple[int, FilmEvent]]:
    """The film's events, and when each happened: ms of CLOCK_BOOTTIME, up to a second ago.

    A film of the past takes no time to play: a client's clock is set to each event's moment.
    """
    interludes: list[Interlude] = [Ad(0.0), Ad(8.0), Pause(5.0, 2.0), JUMP]
    events = film.events("9u6OHIO4", "Elephants Dream", DURATION_S, interludes=interludes)
    length_s = film.length_s(events)
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    if now_s < length_s + 2:
        pytest.skip(f"the machine is up for {now_s:.0f} s, the film takes {length_s:.0f} s")
    start_s = now_s - length_s - 1
    return [(round((start_s + film.at_s(event)) * 1000), _undated(event)) for event in events]


def through_restarts(
    box: BoxUnderTest, events: list[tuple[int, FilmEvent]], seed: int
) -> Iterator[tuple[int, FilmEvent]]:
    """The events in order; meanwhile the daemon is killed twice and stopped once, and started again."""
    fate = random.Random(seed)
    third = len(events) // 3
    deaths = {
        number * third + fate.randrange(third - 8): end
        for number, end in enumerate((box.kill, box.stop, box.kill))
    }
    births = {idx + fate.randrange(1, 6) for idx in deaths}
    for idx, event in enumerate(events):
        if idx in deaths:
            time.sleep(fate.uniform(0, 0.05))
            deaths[idx]()
        if idx in births:
            box.start()
        yield event


def check(collector: CollectorProcess, box: BoxUnderTest, media_id: str = "9u6OHIO4") -> None:
    """Each ping once, each second once, all by the rules; as the collector's own totals have it."""
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered")
    pings = collector.stop()
    assert [ping["violations"] for ping in pings if ping["violations"]] == []
    own = unique(ping for ping in pings if ping["params"]["id"] == media_id)
    kinds = Counter(params["e"] for params in own)
    del kinds["t"]
    assert kinds == EXPECTED, kinds
    assert len({params["pli"] for params in own}) == 1
    row = collector.report["media"][media_id]
    assert (row["plays"], row["setups"], row["ad_impressions"]) == (1, 1, 2)
    assert row["watched_s"] == WATCHED_S


def unique(pings: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """The pings' parameters, of byte-identical ones only the first: delivery is at least once."""
    return [ping["params"] for ping in {ping["target"]: ping for ping in pings}.values()]


def now_ms() -> int:
    """Of CLOCK_BOOTTIME."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def _undated(event: FilmEvent) -> FilmEvent:
    return {key: value for key, value in event.items() if key != "at"}


def needed(program: str) -> str:
    """The path of a program that a test needs: without it the test is skipped, in CI it fails."""
    found = shutil.which(program)
    if found is not None:
        return found
    message = f"not installed: {program}"
    if "CI" in os.environ:
        pytest.fail(message)
    pytest.skip(message)
