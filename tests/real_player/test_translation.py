"""mpv's messages → events, and names → media ids: the pure parts of `jwpingd attach`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwpingd.attach.media import Described, MediaRule
from jwpingd.attach.mpv import Translation
from tests.socket_lines import event_of

LOADED = {"event": "file-loaded"}
SEEK = {"event": "seek"}
RESTART = {"event": "playback-restart"}
ENDED = {"event": "end-file", "reason": "eof"}
ANSWERS: dict[str, Any] = {"answers": "to all that was asked"}
PROPERTIES = {"mpv-version": "mpv 0.35.1", "path": "film0001.mkv", "media-title": "A film", "duration": 40.0}


def changed(name: str, value: Any) -> dict[str, Any]:
    """mpv's message about a property; it leaves out what is unknown."""
    data = {} if value is None else {"data": value}
    return {"event": "property-change", "name": name, **data}


def position(seconds: float | None) -> dict[str, Any]:
    return changed("time-pos", seconds)


class Mpv:
    """Says what it is told to say, and answers when it is told to."""

    def __init__(self, **properties: Any) -> None:
        self.translation = Translation(MediaRule())
        self.events: list[dict[str, Any]] = []
        self._properties = PROPERTIES | properties
        self._asked: list[tuple[int, str]] = []
        self._now_s = 0.0

    def start(self) -> Mpv:
        self._take(self.translation.start())
        return self

    def say(self, *messages: dict[str, Any], seconds_apart: float = 1.0) -> Mpv:
        for message in messages:
            if message is ANSWERS:
                asked, self._asked = self._asked, []
                self.say(*map(self._answer, asked), seconds_apart=0)
            else:
                self._take(self.translation.messages(message, self._now_s))
            self._now_s += seconds_apart
        return self

    @property
    def told(self) -> list[str | tuple[str, float]]:
        """Names, ticks with their position."""
        return [
            ("time", each["position"]) if each["event"] == "time" else each["event"] for each in self.events
        ]

    def _take(self, messages: Iterable[dict[str, Any]]) -> None:
        for message in messages:
            if "command" not in message:
                self.events.append(message)
            elif message["command"][0] == "get_property":
                self._asked.append((message["request_id"], message["command"][1]))

    def _answer(self, asked: tuple[int, str]) -> dict[str, Any]:
        request, name = asked
        if self._properties.get(name) is None:
            return {"request_id": request, "error": "property unavailable"}
        return {"request_id": request, "error": "success", "data": self._properties[name]}


STARTED = (LOADED, ANSWERS, RESTART, ANSWERS)


def test_seek_and_restart_at_the_start_of_a_file_are_not_forwarded() -> None:
    """A film that starts at 8 s has not been sought by its viewer."""
    mpv = Mpv().say(position(None), LOADED, ANSWERS, SEEK, position(8.0), RESTART, ANSWERS, position(8.04))
    assert mpv.told == ["playlistItem", ("time", 8.04)]
    assert mpv.events[0] == {"event": "playlistItem", "mediaid": "film0001", "title": "A film"}


def test_a_tick_waits_for_the_duration() -> None:
    """Whatever the order of mpv's messages, no tick comes before the duration: it would be a live play."""
    mpv = Mpv().say(LOADED, ANSWERS, RESTART, position(0.04), ANSWERS, position(0.08))
    assert mpv.events[1:] == [{"event": "time", "position": 0.08, "duration": 40.0}]
    mpv = Mpv().say(LOADED, RESTART, position(0.04), ANSWERS, position(0.08))
    assert mpv.told == ["playlistItem", ("time", 0.08)]


def test_positions_between_seek_and_restart_are_not_forwarded() -> None:
    """seek → seeked → ticks: what mpv calls its position meanwhile is where it wants to go."""
    mpv = Mpv().say(*STARTED, position(1.0), SEEK, position(28.0), SEEK, RESTART, position(30.0))
    assert mpv.told == ["playlistItem", ("time", 1.0), "seek", "seek", "seeked", ("time", 30.0)]


def test_the_newest_position_is_told_before_a_break() -> None:
    """Between two ticks nothing watched is lost at a pause, a seek, or the end."""
    mpv = Mpv().say(*STARTED, position(1.0)).say(position(1.2), seconds_apart=0)
    assert mpv.told == ["playlistItem", ("time", 1.0), ("time", 1.2)]
    for ending, event in (
        (changed("pause", True), "pause"),
        (SEEK, "seek"),
        ({"event": "end-file"}, "remove"),
    ):
        mpv = Mpv().say(*STARTED, position(1.0), seconds_apart=0).say(position(1.2), ending, seconds_apart=0)
        assert mpv.told == ["playlistItem", ("time", 1.0), ("time", 1.2), event]


@pytest.mark.parametrize(("reason", "event"), [("eof", "complete"), ("stop", "remove"), ("error", "remove")])
def test_only_the_end_of_the_file_completes_the_play(reason: str, event: str) -> None:
    """A file that mpv leaves early was not played to its end; and no play ends twice."""
    end = {"event": "end-file", "reason": reason}
    assert Mpv().say(end, *STARTED, end, end).told == ["playlistItem", event]
    assert Mpv().say(LOADED, end, ANSWERS).told == []


def test_a_player_that_is_reached_in_midway_is_playing_already() -> None:
    """Its version, the film, its rate and its pause are told; then it ticks."""
    mpv = (
        Mpv(**{"time-pos": 12.0}).start().say(changed("pause", True), changed("speed", 1.5), ANSWERS, ANSWERS)
    )
    mpv.say(ANSWERS, position(12.0), changed("pause", False), position(12.5))
    assert mpv.told == [
        "hello", "playlistItem", "playbackRateChanged", "pause", ("time", 12.0), "play", ("time", 12.5),
    ]  # fmt: skip
    assert mpv.events[0] == {"event": "hello", "player": {"version": "0.35.1"}}


def test_an_idle_player_tells_nothing() -> None:
    """Nothing is loaded, so nothing is played."""
    assert Mpv().start().say(changed("pause", False), position(None), ANSWERS).told == ["hello"]


def test_answers_about_the_last_file_are_not_taken_for_the_next() -> None:
    """Files that follow each other quickly are told as what they are."""
    mpv = Mpv().say(LOADED)
    late = [{"request_id": number, "error": "success", "data": "wrong001.mkv"} for number in (1, 2, 3)]
    mpv.say({"event": "end-file"}, LOADED, *late, ANSWERS)
    assert [event["mediaid"] for event in mpv.events] == ["film0001"]


def test_a_film_that_is_kept_open_and_seen_again_is_another_play() -> None:
    """--keep-open: its end completes it, though it stays loaded; seeking back begins a new play."""
    mpv = Mpv().say(*STARTED, position(39.9), changed("eof-reached", True), SEEK, RESTART, ANSWERS, ANSWERS)
    mpv.say(changed("eof-reached", False), position(3.0))
    assert mpv.told == ["playlistItem", ("time", 39.9), "complete", "playlistItem", ("time", 3.0)]


def test_a_player_that_dies_has_removed_its_item() -> None:
    """The connection is lost: so is the play."""
    mpv = Mpv().say(*STARTED, position(1.0))
    assert [each["event"] for each in mpv.translation.lost()] == ["remove"]
    assert list(mpv.translation.lost()) == []


values = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(),
    st.lists(st.none()),
    st.dictionaries(st.text(), st.text()),
)


@given(st.lists(st.one_of(
    st.sampled_from([LOADED, SEEK, RESTART, ENDED, ANSWERS]),
    st.builds(changed, st.sampled_from(["time-pos", "pause", "speed", "eof-reached", "new"]), values),
    st.dictionaries(st.sampled_from(["event", "name", "data", "error", "request_id", "reason"]), values),
)))  # fmt: skip
def test_whatever_mpv_says_the_events_are_well_formed(messages: list[dict[str, Any]]) -> None:
    """No message raises, and each event is one that the daemon takes, in a possible order."""
    mpv = Mpv().start().say(*messages)
    depth = 0
    for event in mpv.events:
        event_of(event)
        depth = 1 if event["event"] == "playlistItem" else depth
        assert depth or event["event"] == "hello"
        depth = 0 if event["event"] in ("remove", "complete") else depth


# --- media ids ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "media_id"),
    [
        ("https://cdn.jwplayer.com/manifests/9u6OHIO4.m3u8?exp=1&sig=2", "9u6OHIO4"),
        ("https://cdn.jwplayer.com/videos/9u6OHIO4-kNspJqnJ.mp4", "9u6OHIO4"),
        ("https://cdn.jwplayer.com/v2/media/9u6OHIO4", "9u6OHIO4"),
        ("/media/usb0/9u6OHIO4.mkv", "9u6OHIO4"),
        ("/media/usb1/9u6OHIO4-kNspJqnJ.mp4", "9u6OHIO4"),
    ],
)
def test_ids_that_are_in_the_name(path: str, media_id: str) -> None:
    """JW's delivery URLs and downloads have their media id in their name."""
    assert MediaRule().item(Described(path)).media_id == media_id


def test_derived_ids_are_stable() -> None:
    """The same name, the same id, on every box and in every version: reports go on across releases."""
    expected = {
        "/media/usb0/Elephants Dream.mkv": "JUufdcB6",
        "/mnt/Elephants Dream.mkv": "JUufdcB6",
        "Elephants Dream (2006).mkv": "uBYrjVz1",
        "https://Example.com/a/film.mp4?token=1": "9NjxF58X",
        "https://example.com/a/film.mp4?token=2": "9NjxF58X",
        "": "aIf2LIW6",
    }
    assert {path: MediaRule().item(Described(path)).media_id for path in expected} == expected
    assert len(set(expected.values())) == 4


def test_the_rules_in_their_order() -> None:
    """What the player says, then the integrator's rule, then the name."""
    path, said = (
        "/films/AbCdEf12_final/9u6OHIO4.mkv",
        {"jwpingd-mediaid": "SaidSaid", "jwpingd-title": "Said"},
    )
    rule = r"/([0-9A-Za-z]{8})_"
    assert MediaRule(rule).item(Described(path, "T", said)).media_id == "SaidSaid"
    assert MediaRule(rule, "Fixed").item(Described(path, "T", said)).title == "Said"
    assert MediaRule(rule).item(Described(path, "T", {"jwpingd-mediaid": "bad"})).media_id == "AbCdEf12"
    assert MediaRule("Fixed001", "Fixed").item(Described(path, "T")).media_id == "Fixed001"
    assert MediaRule("Fixed001", "Fixed").item(Described(path, "T")).title == "Fixed"
    assert MediaRule(rule).item(Described("/other/9u6OHIO4.mkv")).media_id == "9u6OHIO4"
    assert MediaRule("(x)|(y)").item(Described("y/9u6OHIO4.mkv", "")).media_id == "9u6OHIO4"
    assert MediaRule().item(Described("/other/9u6OHIO4.mkv")).title == "9u6OHIO4.mkv"


@pytest.mark.parametrize("rule", ["[0-9", "no group", "toolong99"])
def test_a_rule_that_cannot_work_is_refused(rule: str) -> None:
    """The integrator is told at once, not by strange reports."""
    with pytest.raises(ValueError, match="regular expression"):
        MediaRule(rule)


@given(st.text(), st.text())
def test_every_name_has_an_id(path: str, title: str) -> None:
    """Any path at all becomes a media id that the interface takes."""
    item = MediaRule().item(Described(path, title))
    assert re.fullmatch("[0-9A-Za-z]{8}", item.media_id)
