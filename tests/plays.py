"""Arbitrary players for Hypothesis: any events in any order at any time, and the sane ones among them."""

from __future__ import annotations

from hypothesis import strategies as st

from jwpingd import events
from jwpingd.moment import Moment
from jwpingd.session import Session

Step = tuple[int, events.PlayEvent]  # milliseconds since the step before, and what happened

waits_ms = st.one_of(st.just(0), st.integers(1, 300), st.integers(900, 1100), st.integers(0, 40_000))
durations_ms = st.one_of(st.none(), st.integers(1000, 400_000), st.sampled_from([30_000, 60_000, 653_800]))
positions_ms = st.one_of(st.integers(0, 420_000), st.integers(-5_000, 10**14), st.sampled_from([0, 30_000]))

items = st.builds(
    events.PlaylistItem,
    player=st.just(""),
    media_id=st.sampled_from(["9u6OHIO4", "Z3tYxQpL"]),
    title=st.just("x"),
    feed_id=st.none(),
    duration_ms=durations_ms,
    is_live=st.sampled_from([None, None, True, False]),
    play_key=st.sampled_from(["", "", "a", "b"]),
)
others = st.one_of(
    st.builds(events.Time, st.just(""), positions_ms, durations_ms),
    st.builds(events.Seek, st.just(""), st.one_of(st.none(), positions_ms)),
    st.builds(
        events.PlaybackRateChanged, st.just(""), st.sampled_from([1.0, 2.0, 2.5, 0.0, -8.0, float("nan")])
    ),
    *(st.just(kind("")) for kind in (events.Seeked, events.Play, events.Pause, events.AdImpression)),
    st.sampled_from([events.Complete(""), events.Remove("")]),
)
any_steps = st.lists(st.tuples(waits_ms, st.one_of(others, others, others, items)), max_size=60)


@st.composite
def watched_plays(draw: st.DrawFn) -> list[Step]:
    """A film or a live channel, watched with pauses, seeks and hiccups: credit really accrues."""
    duration_ms = draw(st.one_of(st.none(), st.integers(20_000, 400_000)))
    steps: list[Step] = [(0, events.PlaylistItem("", "9u6OHIO4", "x", duration_ms=duration_ms))]
    position_ms = draw(st.integers(0, 200_000))
    for _ in range(draw(st.integers(1, 15))):
        tick_ms = draw(st.sampled_from([100, 250, 999, 5_000, 10_020]))
        for _ in range(draw(st.integers(1, 30))):
            position_ms += tick_ms + draw(st.integers(-20, 20))
            steps.append((tick_ms, events.Time("", position_ms, duration_ms)))
        disturbance, position_ms = draw(_disturbances(position_ms))
        steps += disturbance
    return steps


@st.composite
def _disturbances(draw: st.DrawFn, position_ms: int) -> tuple[list[Step], int]:
    match draw(st.sampled_from(["seek", "pause", "jump", "ad", "nothing"])):
        case "seek":
            offset_ms = draw(st.integers(0, 300_000))
            return [(100, events.Seek("", offset_ms)), (draw(waits_ms), events.Seeked(""))], offset_ms
        case "pause":
            return [(50, events.Pause("")), (draw(waits_ms), events.Play(""))], position_ms
        case "jump":
            return [], draw(st.integers(0, 300_000))
        case "ad":
            return [(10, events.AdImpression(""))], position_ms
        case _:
            return [], position_ms


def counting_ids() -> str:
    """Ids that tell plays apart, in order."""
    global _n_ids
    _n_ids += 1
    return f"{_n_ids:012d}"


_n_ids = 0


def new_session() -> Session:
    return Session(counting_ids)


def moment(boot_ms: int) -> Moment:
    return Moment("boot", boot_ms, 1_700_000_000_000 + boot_ms)
