"""The laws of a play, for any player whatever it does."""

from __future__ import annotations

import json
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd import events, session
from jwpingd.errors import OutOfSequence
from jwpingd.ping import Ping
from jwpingd.session import Session
from tests.plays import Step, any_steps, moment, new_session, watched_plays

steps_of_any_player = st.one_of(any_steps, watched_plays())


def run(steps: list[Step], player: Session | None = None) -> tuple[list[Ping], int]:
    """All pings of these steps up to the end of the connection, and when that was."""
    player = player or new_session()
    pings, now_ms = list[Ping](), 1_000_000
    for wait_ms, event in steps:
        now_ms += wait_ms
        try:
            pings += player.handle(event, moment(now_ms))
        except OutOfSequence:
            assert player.play is None
    return pings + player.end(moment(now_ms)), now_ms


def by_play(pings: list[Ping]) -> dict[str, list[Ping]]:
    plays = defaultdict(list)
    for made in pings:
        plays[made.play_id].append(made)
    return plays


@settings(max_examples=300, deadline=None)
@given(steps_of_any_player)
def test_shape_of_a_play(steps: list[Step]) -> None:
    """A play begins with e, has at most one s, and exactly one gab, its last, if it had an s."""
    for pings in by_play(run(steps)[0]).values():
        kinds = [made.kind for made in pings]
        assert kinds[0] == "e" and kinds.count("e") == 1
        assert kinds.count("s") <= 1
        assert kinds.count("gab") == kinds.count("s")
        if "gab" in kinds:
            assert kinds[-1] == "gab"
            assert "t" not in kinds[: kinds.index("s")]


@settings(max_examples=300, deadline=None)
@given(steps_of_any_player)
def test_progress_is_in_range(steps: list[Step]) -> None:
    """`pw` lies in -1 … 128, is a threshold on t, and `ti` is never negative; e and i carry neither."""
    for made in run(steps)[0]:
        progress = made.progress
        if progress is None:
            assert made.kind in ("e", "i", "vs")
            continue
        assert progress.watched_s >= 0
        assert progress.n_quantiles in (0, 1, 4, 8, 16, 32)
        if progress.n_quantiles == 0:
            assert (progress.position_128ths, progress.duration_s) == (-1, 0)
            continue
        assert 0 <= progress.position_128ths <= 128
        if made.kind == "t":
            assert progress.position_128ths > 0
            assert progress.position_128ths % (128 // progress.n_quantiles) == 0


@settings(max_examples=300, deadline=None)
@given(steps_of_any_player)
def test_each_second_is_counted_once(steps: list[Step]) -> None:
    """Over a play Σ ti ≤ credited seconds < Σ ti + 1, and no credit comes from nowhere."""
    player = new_session()
    now_ms = 0
    credited_ms: dict[str, int] = defaultdict(int)
    reported_s: dict[str, int] = defaultdict(int)
    for wait_ms, event in [*steps, (0, events.Remove(""))]:
        now_ms += wait_ms
        before = player.running
        before_ms = before.credit_ms if before else 0
        try:
            pings = player.handle(event, moment(now_ms))
        except OutOfSequence:
            continue
        for made in pings:
            reported_s[made.play_id] += made.progress.watched_s if made.progress else 0
        if before is not None:
            sent_ms = sum(
                made.progress.watched_s * 1000
                for made in pings
                if made.progress and made.play_id == before.play_id
            )
            credited_ms[before.play_id] += before.credit_ms + sent_ms - before_ms
    for play_id, total_ms in credited_ms.items():
        assert reported_s[play_id] * 1000 <= total_ms < (reported_s[play_id] + 1) * 1000


@settings(max_examples=200, deadline=None)
@given(watched_plays())
def test_credit_is_plausible(steps: list[Step]) -> None:
    """Nobody watches more than two seconds of content a second, but for what two allowances grant."""
    pings, end_ms = run(steps)
    n_seeks = sum(isinstance(event, events.Seeked) for _, event in steps)
    for of_play in by_play(pings).values():
        watched_s = sum(made.progress.watched_s for made in of_play if made.progress)
        elapsed_s = (end_ms - of_play[0].moment.boot_ms) / 1000
        assert watched_s <= 2 * elapsed_s + 2 + 2 * n_seeks


@settings(max_examples=200, deadline=None)
@given(steps_of_any_player)
def test_time_never_runs_backwards(steps: list[Step]) -> None:
    """The pings of a player come in the order of their moments, a timer's before the event's."""
    moments = [made.moment.boot_ms for made in run(steps)[0]]
    assert moments == sorted(moments)


@settings(max_examples=150, deadline=None)
@given(any_steps, st.integers(0, 60))
def test_a_play_survives_being_set_down(steps: list[Step], cut: int) -> None:
    """A play that is dumped as JSON and restored goes on exactly as if nothing had happened."""
    whole, resumed = Session(iter(_ids()).__next__), Session(iter(_ids()).__next__)
    now_ms = 0
    for idx, (wait_ms, event) in enumerate(steps):
        now_ms += wait_ms
        if idx == cut and resumed.running is not None:
            state = json.loads(json.dumps(session.dump(resumed)))
            heir = Session(resumed._new_id)
            session.restore(heir, state)
            heir.latest = resumed.latest
            resumed = heir
            whole._new_id()  # The heir took an embed id that it did not need.
        assert _outcome(resumed, event, now_ms) == _outcome(whole, event, now_ms)
    assert resumed.end(moment(now_ms)) == whole.end(moment(now_ms))


@settings(max_examples=150, deadline=None)
@given(any_steps, st.lists(st.integers(-5000, 5000), max_size=60))
def test_a_clock_that_jumps_back_does_no_harm(steps: list[Step], jumps_ms: list[int]) -> None:
    """Moments in any order raise nothing and break no law of the shape."""
    player, pings, now_ms = new_session(), list[Ping](), 1_000_000
    for idx, (wait_ms, event) in enumerate(steps):
        now_ms += wait_ms
        jump_ms = jumps_ms[idx] if idx < len(jumps_ms) else 0
        try:
            pings += player.handle(event, moment(now_ms + jump_ms))
        except OutOfSequence:
            continue
    moments = [made.moment.boot_ms for made in pings]
    assert moments == sorted(moments)


@given(any_steps)
def test_the_will_is_what_the_end_would_say(steps: list[Step]) -> None:
    """`final_ping` is the gab that `end` would send at the latest moment, and asking changes nothing."""
    player, now_ms = new_session(), 0
    for wait_ms, event in steps:
        now_ms += wait_ms
        try:
            player.handle(event, moment(now_ms))
        except OutOfSequence:
            continue
    will = player.final_ping()
    assert will == player.final_ping()
    last = player.end(moment(now_ms))[-1:]
    assert last == ([] if will is None else [will])


def _ids() -> list[str]:
    return [f"{number:012d}" for number in range(1000)]


def _outcome(player: Session, event: events.PlayEvent, now_ms: int) -> list[Ping] | str:
    try:
        return player.handle(event, moment(now_ms))
    except OutOfSequence as error:
        return str(error)


def test_the_number_of_an_item_ends_at_99999() -> None:
    """`pss` counts the items of a player up to 99999 and stays there."""
    player = new_session()
    player.n_items = 99_997
    item = events.PlaylistItem("", "9u6OHIO4", "x")
    made = [one for now_ms in range(4) for one in player.handle(item, moment(now_ms))]
    assert [one.item_number for one in made] == [99_998, 99_999, 99_999, 99_999]
