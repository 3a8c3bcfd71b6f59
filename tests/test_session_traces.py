"""The recorded plays: exact examples of the rules."""

import json
from pathlib import Path

import pytest

from jwpingd.replay import Mistake, plays_in, replay

PLAYS = (Path(__file__).parent / "traces" / "plays.jsonl").read_bytes()
EXPECTED = {play["name"]: play["expected_pings"] for play in map(json.loads, PLAYS.splitlines())}
LOGS = {name: lines for name, lines in plays_in(PLAYS.splitlines())}


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_play(name: str) -> None:
    """Every recorded play gives exactly its expected pings, at their moments."""
    replayed = list(replay(LOGS[name]))
    assert [
        {"at": made.at_ms / 1000, "bucket": made.bucket, "params": made.parameters}
        for made in replayed
        if not isinstance(made, Mistake)
    ] == EXPECTED[name]
    assert len(replayed) == len(EXPECTED[name])


def test_no_play_is_missing() -> None:
    """All 81 plays are checked."""
    assert len(EXPECTED) == 81
