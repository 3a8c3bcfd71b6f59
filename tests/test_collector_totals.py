"""The collector's totals: what the OTT report would show."""

from __future__ import annotations

from functools import partial

import pytest

from jwpingd.collector import Collector, totals
from jwpingd.collector.lines import HEADING, ping_lines, report_lines
from tests.collector_plays import FACTS, good_play, made

ANOTHER_FILM = partial(made, play="play00000002", number=2, media="AbCdEf12", title="Spring")


def collected(*targets: str) -> Collector:
    collector = Collector()
    for target in targets:
        collector.take(target, 1_700_000_000_000)
    return collector


def test_the_report_totals_plays_viewers_ads_and_minutes() -> None:
    """Setups are e, plays s, ad impressions i, minutes Σ ti / 60, viewers distinct; per media id, in all."""
    report = collected(*good_play(), *good_play(ANOTHER_FILM)).report()
    row = {
        "setups": 1,
        "plays": 1,
        "viewers": 1,
        "ad_impressions": 1,
        "watched_s": 62,
        "minutes_watched": 1.03,
    }
    assert report["media"] == {
        "9u6OHIO4": {"title": "Elephants Dream", **row},
        "AbCdEf12": {"title": "Spring", **row},
    }
    assert report["total"] == {
        "setups": 2,
        "plays": 2,
        "viewers": 1,
        "ad_impressions": 2,
        "watched_s": 124,
        "minutes_watched": 2.07,
    }


def test_duplicates_are_totalled_once() -> None:
    """The same ping twice counts once."""
    once, twice = collected(*good_play()).report(), collected(*good_play(), *good_play()).report()
    assert twice["total"] == once["total"]


def test_viewers_are_told_by_user_then_by_installation() -> None:
    """oaid tells viewers apart, oiid where nobody is logged in; a ping with neither has no viewer."""
    viewers = (
        FACTS._replace(user_hash="a" * 40),
        FACTS._replace(user_hash="b" * 40),
        FACTS._replace(user_hash="b" * 40, install_id="zz12cd34"),
        FACTS,
        FACTS._replace(install_id=None),
    )
    starts = [made("s", n, pw=0, play=f"play0000000{n}", facts=facts) for n, facts in enumerate(viewers)]
    assert collected(*starts).totals.total.n_viewers == 3


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limits a ping still counts in the total, and pings are kept only up to a number."""
    monkeypatch.setattr(totals, "MAX_MEDIA", 1)
    monkeypatch.setattr(totals, "MAX_VIEWERS", 2)
    stranger = partial(ANOTHER_FILM, facts=FACTS._replace(install_id="zz12cd34"))
    collector = Collector(max_pings=5)
    for target in [*good_play(), *good_play(stranger)]:
        collector.take(target, 0)
    assert list(collector.totals.media) == ["9u6OHIO4"]
    assert (collector.totals.total.n_plays, collector.totals.total.n_viewers) == (2, 1)
    assert (len(collector.pings), collector.n_pings) == (5, 16)


def test_a_line_is_aligned_and_violations_stand_below_it() -> None:
    """Columns stand under their headings; what is wrong with the ping follows on lines of its own."""
    bad = made("t", 21_500, pw=4, ti=20).replace("fed=&", "fed=x&")
    first, second = ping_lines(collected(bad).pings[0], is_coloured=False).splitlines()
    for heading, value in (("e ", "t "), ("media", "9u6OHIO4"), ("play", "play00"), ("title", "Elephants")):
        column = HEADING.index("  " + heading) + 2
        assert first[column:].startswith(value)
    assert first.split()[3:5] == ["4", "20"]
    assert second == "    ! fed='x' is not 8 of [0-9A-Za-z], or empty"


def test_only_printable_characters_reach_the_terminal() -> None:
    """A title, an id or a violation cannot steer the terminal."""
    nasty = made("e", 0, title="\x1b[2J\nSpring").replace("id=9u6OHIO4", "id=%1b%5B2J")
    collector = collected(nasty)
    shown = ping_lines(collector.pings[0], is_coloured=False) + report_lines(collector, is_coloured=False)
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert "Spring" in shown


def test_colour_only_where_asked() -> None:
    """Violations and duplicates are coloured when asked, and nothing is otherwise."""
    good = made("t", 5, pw=4)
    collector = collected(good, good.replace("sdk=0", "sdk=9"), good)
    for received in list(collector.pings)[1:]:
        assert "\x1b[" in ping_lines(received, is_coloured=True)
        assert "\x1b[" not in ping_lines(received, is_coloured=False)


def test_the_table_shows_the_totals() -> None:
    """The report for people names every media id, all together, and the counts."""
    shown = report_lines(collected(*good_play(), *good_play(ANOTHER_FILM)), is_coloured=False).splitlines()
    assert shown[1].split() == ["9u6OHIO4", "1", "1", "1", "1", "1.03", "Elephants", "Dream"]
    assert shown[3].split() == ["all", "2", "2", "1", "2", "2.07"]
    assert shown[4] == "16 pings, 0 duplicates, 0 violations, 0 plays still open"


@pytest.mark.parametrize("sa", ["", "0", "x", "9" * 15, "-5", "9" * 5_000])
def test_any_time_stamp_can_be_shown(sa: str) -> None:
    """A time that cannot be is shown as such, and breaks nothing."""
    target = made("e", 0).rpartition("&sa=")[0] + f"&sa={sa}"
    assert "9u6OHIO4" in ping_lines(collected(target).pings[0], is_coloured=False)
