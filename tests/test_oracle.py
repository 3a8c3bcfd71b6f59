"""The program against a second reading of its rules: `oracle`, on whatever `viewers` do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from jwpingd import events, ping, session, wire
from jwpingd.errors import OutOfSequence
from jwpingd.moment import Moment
from jwpingd.replay import Mistake, replay
from jwpingd.session import Session
from tests import oracle
from tests.viewers import Line, connection

Outcome = tuple[list[oracle.Ping], int]
"""The pings, and how many lines were refused."""

N_CONNECTIONS = 1000
"""Enough that whatever one changes in a line of the session's rules is noticed."""

PLAYS = Path(__file__).parent / "traces" / "plays.jsonl"


def said_by_the_oracle(lines: list[Line]) -> Outcome:
    log = oracle.pings_of(lines, end_at=oracle.milliseconds(lines[-1]["at"]))
    return log.pings, log.n_refused


def said_by_replay(lines: list[Line]) -> Outcome:
    made = list(replay(json.dumps(line).encode() for line in lines))
    pings = [
        {"at": one.at_ms, "bucket": one.bucket, "params": one.parameters}
        for one in made
        if not isinstance(one, Mistake)
    ]
    return pings, len(made) - len(pings)


def said_by_sessions(lines: list[Line]) -> Outcome:
    """As the daemon drives them: ticks by their own way, and plays that are set down and taken up again."""
    random, reader = Random(len(lines)), wire.LineReader(1 << 20)
    players: dict[str, Session] = {}
    pings: list[ping.Ping] = []
    n_refused = 0
    now = Moment("boot", 0, None)
    for line in lines:
        [result] = reader.feed(json.dumps(line).encode() + b"\n")
        assert isinstance(result, wire.Received) and result.at_ms is not None
        assert not isinstance(result.event, events.Hello)
        now = Moment("boot", result.at_ms, None)
        if len(players) > 1:  # Alone, a session wakes itself with its next event.
            for due in sorted(players.values(), key=lambda one: one.wake_at_ms or 0):
                pings += due.wake(now)
        player = players.get(result.event.player) or Session(new_id)
        try:
            pings += handled(player, result.event, now)
        except OutOfSequence:
            n_refused += 1
            continue
        is_cut = player.running is not None and random.random() < 0.1
        players[result.event.player] = taken_up_again(player) if is_cut else player
    pings += [made for player in players.values() for made in player.end(now)]
    return [shown(made) for made in pings], n_refused


def handled(player: Session, event: events.PlayEvent, now: Moment) -> list[ping.Ping]:
    if isinstance(event, events.Time) and player.play is not None:
        return player.tick(event, now)
    return player.handle(event, now)


def taken_up_again(player: Session) -> Session:
    heir = Session(new_id)
    session.restore(heir, json.loads(json.dumps(session.dump(player))))
    heir.latest = player.latest
    return heir


def new_id() -> str:
    return "x" * 12


def shown(made: ping.Ping) -> oracle.Ping:
    bucket = ping.EVENTS[made.kind].bucket
    return {"at": made.moment.boot_ms, "bucket": bucket, "params": ping.session_parameters(made)}


def shortest(lines: list[Line], differs: Callable[[list[Line]], bool]) -> list[Line]:
    """Lines left out as long as there still is a difference."""
    n_left_out = len(lines) // 2
    while n_left_out:
        for start in range(0, len(lines), n_left_out):
            rest = lines[:start] + lines[start + n_left_out :]
            if rest and differs(rest):
                return shortest(rest, differs)
        n_left_out //= 2
    return lines


@pytest.mark.parametrize(
    ("said_by_the_program", "n_connections"),
    [(said_by_sessions, N_CONNECTIONS), (said_by_replay, N_CONNECTIONS // 4)],
)
def test_the_program_says_what_the_oracle_says(
    said_by_the_program: Callable[[list[Line]], Outcome], n_connections: int
) -> None:
    """Two readings of the rules, written apart, give the same pings, whatever a viewer does."""

    def differs(lines: list[Line]) -> bool:
        return said_by_the_program(lines) != said_by_the_oracle(lines)

    for seed in range(n_connections):
        random = Random(seed)
        lines = connection(random, n_actions=random.choice([5, 15, 40]))
        if differs(lines):
            lines = shortest(lines, differs)
            print(*map(json.dumps, lines), sep="\n")  # pytest shows it
            assert said_by_the_program(lines) == said_by_the_oracle(lines)


def test_the_oracle_reads_the_recorded_plays() -> None:
    """The oracle itself gives exactly the pings that are recorded."""
    for play in map(json.loads, PLAYS.read_text().splitlines()):
        expected = [made | {"at": oracle.milliseconds(made["at"])} for made in play["expected_pings"]]
        assert oracle.pings_of(play["events"]).pings == expected, play["name"]
