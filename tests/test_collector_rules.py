"""The collector's rules: every kind of violation has an example, and a clean twin without it."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd import ping
from jwpingd.collector import Checker, Collector
from tests.collector_plays import FACTS, good_play, made

TRACES = Path(__file__).parent / "traces" / "plays.jsonl"


def judged(targets: list[str]) -> list[str]:
    """Every violation of these pings in this order of arrival, as if nothing more came."""
    collector = Collector()
    found = [message for target in targets for message in collector.take(target, 0).violations]
    return found + collector.checker.judge_plays()


def without(kind: str) -> list[str]:
    return [target for target in good_play() if f"&e={kind}&" not in target]


E, S = made("e", 0), made("s", 1_000, pw=0)
live = partial(made, vd=0, q=0, pw=-1)
later = partial(made, play="play00000002")

BAD_PLAY = [E, S, made("t", 900, pw=4), made("t", 5_000, pw=4), made("gab", 4_000, pw=9)]
TWO_PLAYS = [*good_play(), *good_play(partial(later, number=2, embed="embed0000002"))]

CASES: dict[str, tuple[list[str], list[str], str]] = {
    # name: (pings with the mistake, their clean twins, what the message says)
    "one ping, by the table": (
        [E.replace("fed=&", "fed=x&")],
        [E],
        "fed='x' is not 8 of",
    ),
    "bucket": (
        [E.replace("/jwplayer6/", "/clienta/")],
        [E],
        "belongs in bucket jwplayer6, not clienta",
    ),
    "unknown bucket": (
        [E.replace("/jwplayer6/", "/other/")],
        [E],
        "belongs in bucket jwplayer6, not other",
    ),
    "key twice": (
        [E + "&pss=1"],
        [E],
        "pss stands twice",
    ),
    "encoding": (
        [E.replace("Elephants%20Dream", "Elephants+Dream")],
        [E],
        "t is not percent-encoded",
    ),
    "length": (
        [made("e", 0, facts=FACTS._replace(player_version="1")).replace("epv=1", "epv=" + "1" * 6_200)],
        [made("e", 0, facts=FACTS._replace(player_version="1" * 500))],
        "more than 6144",
    ),
    "quantiles": (
        [E, made("s", 1_000, pw=0, vd=179, q=16)],
        [E, made("s", 1_000, pw=0, vd=179, q=8)],
        "q=16 does not follow from vd=179: that makes 8",
    ),
    "second setup": (
        [E, made("e", 300)],
        [E, later("e", 300, number=2)],
        "a second e=e",
    ),
    "second play": (
        [E, S, made("s", 2_000, pw=0)],
        [E, S],
        "a second e=s",
    ),
    "second end": (
        [*good_play(), made("gab", 65_000, pw=9, ti=0)],
        good_play(),
        "a second e=gab",
    ),
    "before the setup": (
        [made("e", 100), made("i", 50)],
        [made("e", 100), made("i", 100)],
        "e=i lies 50 ms before e=e",
    ),
    "quantile before play": (
        [E, S, made("t", 900, pw=4)],
        [E, S, made("t", 1_000, pw=4)],
        "e=t lies 100 ms before e=s",
    ),
    "seek with progress before play": (
        [E, S, made("vs", 900, pw=0)],
        [E, S, made("vs", 900)],
        "e=vs lies 100 ms before e=s",
    ),
    "seek without progress after play": (
        [E, S, made("vs", 3_000)],
        [E, S, made("vs", 3_000, pw=0)],
        "e=s lies 2000 ms before e=vs without",
    ),
    "after the end": (
        [*good_play(), made("t", 64_001, pw=12, ti=1)],
        [*good_play(), made("i", 64_000)],
        "e=gab lies 1 ms before e=t",
    ),
    "live again": (
        [E, S, live("t", 5_000)],
        [E, live("s", 1_000), made("t", 5_000, pw=4)],
        "one with a duration lies 4000 ms before a live ping",
    ),
    "no setup": (without("e"), good_play(), "no e=e arrived"),
    "no play": (without("s"), good_play(), "no e=s arrived, but e=t, e=vs, e=gab did"),
    "seconds counted twice": (
        [E, S, made("t", 21_000, pw=4, ti=45)],
        [E, S, made("t", 21_000, pw=4, ti=44)],
        "45 s reported within 20.0 s",
    ),
    "same threshold": (
        [E, S, made("t", 5_000, pw=4, ti=4), made("t", 6_000, pw=4, ti=1)],
        [E, S, made("t", 5_000, pw=4, ti=4), made("vs", 5_500, pw=4), made("t", 6_000, pw=4, ti=1)],
        "pw=4 on two e=t in a row",
    ),
    "title changes": (
        [E, made("s", 1_000, pw=0, title="Spring")],
        [E, S],
        "t='Spring', but it was 'Elephants Dream'",
    ),
    "media id changes": (
        [E, made("s", 1_000, pw=0, media="AbCdEf12")],
        [E, S],
        "id='AbCdEf12', but it was '9u6OHIO4'",
    ),
    "embed changes": (
        [E, made("s", 1_000, pw=0, embed="embed0000002")],
        [E, S],
        "emi='embed0000002', but it was",
    ),
    "number changes": (
        [E, made("s", 1_000, pw=0, number=2)],
        [E, S],
        "pss='2', but it was '1'",
    ),
    "duration changes": (
        [E, S, made("t", 9_000, pw=4, vd=700)],
        [E, live("s", 1_000), made("t", 9_000, pw=4, vd=700)],
        "vd='700', but it was '653'",
    ),
    "number repeats": (
        [E, later("e", 9_000, number=1)],
        [E, later("e", 9_000, number=1, embed="embed0000002")],
        "pss=1 is that of another play",
    ),
    "number falls": (
        [made("e", 0, number=5), later("e", 9_000, number=4)],
        [made("e", 0, number=5), later("e", 9_000, number=6)],
        "pss does not count up within the embed: 5, then 4",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_violation_is_named_once(name: str) -> None:
    """The mistake gives exactly one violation, which says what is wrong; the clean twin gives none."""
    wrong, right, message = CASES[name]
    found = judged(wrong)
    assert len(found) == 1 and message in found[0], found
    assert judged(right) == []


@given(st.permutations(TWO_PLAYS))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_order_of_arrival_is_no_violation(targets: list[str]) -> None:
    """A good play is good in whatever order its pings arrive."""
    assert judged(targets) == []


@given(st.permutations(BAD_PLAY))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_order_of_arrival_hides_no_violation(targets: list[str]) -> None:
    """A bad play has its three violations in whatever order its pings arrive."""
    assert len(judged(targets)) == 3


@pytest.mark.parametrize(
    "line", TRACES.read_text("utf-8").splitlines(), ids=lambda line: line[9:30].split('"')[0]
)
def test_the_traces_are_good_plays(line: str) -> None:
    """The interface's own examples have no violation, in order and shuffled."""
    targets = list(_traced(json.loads(line)))
    assert judged(targets) == []
    random.Random(1).shuffle(targets)
    assert judged(targets) == []


def _traced(trace: dict[str, object]) -> list[str]:
    """A trace's pings with the parameters that it leaves out; its players show different media."""
    targets, play_of = [], dict[str, str]()
    pings = trace["expected_pings"]
    assert isinstance(pings, list)
    for number, each in enumerate(pings):
        shown = each["params"]
        if shown["e"] == "e":
            play_of[shown["id"]] = f"play{number:08d}"
        is_one_embed = "two-players" not in str(trace["name"])
        target = made(
            shown["e"],
            round(each["at"] * 1000),
            play=play_of[shown["id"]],
            embed="embed0000001" if is_one_embed else f"emb0{shown['id'].lower()}",
            number=int(shown["pss"]),
            media=shown["id"],
            title=shown["t"],
            pw=int(shown["pw"]) if "pw" in shown else None,
            ti=int(shown.get("ti", 0)),
            vd=int(shown.get("vd", 0)),
            q=int(shown.get("q", 0)),
        )
        targets.append(target)
    return targets


def test_a_duplicate_is_counted_and_no_violation() -> None:
    """A byte-identical ping is a duplicate; it is judged no further."""
    collector = Collector()
    for target in [*good_play(), *good_play()]:
        collector.take(target, 0)
    report = collector.report()
    assert (report["pings"], report["duplicates"], report["violations"]) == (16, 8, 0)


def test_the_last_item_number_may_repeat() -> None:
    """pss stays at 99999, so there it is neither repeated nor falling."""
    assert judged([made("e", 0, number=99_999), later("e", 9_000, number=99_999)]) == []


def test_a_running_play_is_open_and_no_violation() -> None:
    """A play without gab may still be running: it is counted as open."""
    checker = _checked([E, S])
    assert (checker.judge_plays(), checker.n_open_plays()) == ([], 1)
    assert _checked(good_play()).n_open_plays() == 0


def test_a_play_that_is_forgotten_is_judged() -> None:
    """Only the newest plays are remembered; one that leaves is judged as a whole."""
    others = [made("e", 0, play=f"play1000000{n}", embed=f"embed000001{n}") for n in range(3)]
    checker = _checked([S, *others], 3)
    assert list(checker.violations) == ["play play00000001: no e=e arrived"]
    assert checker.judge_plays() == []


def test_violations_are_counted_beyond_those_kept() -> None:
    """The newest 100 violations are kept in words; the count goes on."""
    checker = _checked([E, *(made("e", at_ms) for at_ms in range(1, 251))])
    assert (checker.n_violations, len(checker.violations)) == (250, 100)


@given(st.text(), st.text())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_anything_can_be_taken(path: str, query: str) -> None:
    """Whatever text comes as a target is judged without an error."""
    for target in (f"{path}?{query}", f"/v1/jwplayer6/ping.gif?{query}", f"{E}&{query}"):
        collector = Collector()
        collector.take(target, 0)
        json.dumps(collector.report())


def _checked(targets: list[str], max_plays: int = 1_000) -> Checker:
    checker = Checker(max_plays=max_plays)
    for target in targets:
        bucket, parameters = ping.read(target)
        checker.check(bucket, parameters, target)
    return checker
