"""Every event of the socket: what makes it, and what its keys may not hold."""

from __future__ import annotations

import pytest

from jwpingd.errors import BadEvent
from jwpingd.events import (
    AdImpression,
    Complete,
    Event,
    Pause,
    Play,
    PlaybackRateChanged,
    PlaylistItem,
    Remove,
    Seek,
    Seeked,
    Time,
)
from tests.socket_lines import event_of, of_kind, refusal_of

ITEM = '"event":"playlistItem","mediaid":"9u6OHIO4"'


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ('{"event":"time","position":123.4,"duration":600}', Time("", 123_400, 600_000)),
        ('{"event":"time","position":0}', Time("", 0)),
        ('{"event":"time","position":-95.5,"duration":null}', Time("", -95_500)),
        ('{"event":"time","position":1.0005}', Time("", 1000)),
        ('{"event":"time","position":1.0015}', Time("", 1002)),
        ('{"event":"time","position":-0.0}', Time("", 0)),
        ('{"event":"time","position":1e11}', Time("", 10**14)),
        ('{"event":"time","position":5,"player":"pip"}', Time("pip", 5000)),
        ('{"event":"time","position":5,"player":null}', Time("", 5000)),
        ('{"event":"seek"}', Seek("")),
        ('{"event":"seek","position":25,"offset":420.5}', Seek("", 420_500)),
        ('{"event":"seek","position":"ignored","offset":null}', Seek("")),
        ('{"event":"seek","offset":-30}', Seek("", -30_000)),
        ('{"event":"seeked"}', Seeked("")),
        ('{"event":"play","playReason":"external"}', Play("")),
        ('{"event":"pause"}', Pause("")),
        ('{"event":"adImpression","duration":"jw says nothing of it"}', AdImpression("")),
        ('{"event":"complete"}', Complete("")),
        ('{"event":"remove","player":"main"}', Remove("main")),
        ('{"event":"playbackRateChanged","playbackRate":2}', PlaybackRateChanged("", 2.0)),
        ('{"event":"playbackRateChanged","playbackRate":-0.5}', PlaybackRateChanged("", -0.5)),
        (
            '{"event":"playbackRateChanged","playbackRate":Infinity}',
            PlaybackRateChanged("", float("inf")),
        ),
    ],
)
def test_events(line: str, event: Event) -> None:
    """Each event is made of the keys that JW's API gives it; times become whole milliseconds."""
    assert of_kind(event_of(line)) == of_kind(event)


@pytest.mark.parametrize(
    ("keys", "event"),
    [
        ("", PlaylistItem("", "9u6OHIO4", "")),
        ('"title":null', PlaylistItem("", "9u6OHIO4", "")),
        ('"title":""', PlaylistItem("", "9u6OHIO4", "")),
        ('"title":"Über\\u0000 😀"', PlaylistItem("", "9u6OHIO4", "Über\0 😀")),
        ('"title":"cut \\ud83d"', PlaylistItem("", "9u6OHIO4", "cut �")),
        ('"title":"\\ude00\\ud83dx"', PlaylistItem("", "9u6OHIO4", "��x")),
        ('"title":"\\ud83d\\ude00"', PlaylistItem("", "9u6OHIO4", "😀")),
        ('"feedid":"ON53iLoH"', PlaylistItem("", "9u6OHIO4", "", "ON53iLoH")),
        ('"feedid":""', PlaylistItem("", "9u6OHIO4", "")),
        ('"feedid":"too long a feed"', PlaylistItem("", "9u6OHIO4", "")),
        ('"feedid":17', PlaylistItem("", "9u6OHIO4", "")),
        ('"duration":653.8', PlaylistItem("", "9u6OHIO4", "", duration_ms=653_800)),
        ('"live":true', PlaylistItem("", "9u6OHIO4", "", is_live=True)),
        ('"live":false', PlaylistItem("", "9u6OHIO4", "", is_live=False)),
        ('"live":null', PlaylistItem("", "9u6OHIO4", "")),
        ('"play":"k1","player":"p"', PlaylistItem("p", "9u6OHIO4", "", play_key="k1")),
        ('"play":null', PlaylistItem("", "9u6OHIO4", "")),
    ],
)
def test_items(keys: str, event: PlaylistItem) -> None:
    """An item needs its media id and nothing else; a wrong feed id does not cost the play."""
    assert of_kind(event_of(f"{{{ITEM}{',' if keys else ''}{keys}}}")) == of_kind(event)


@pytest.mark.parametrize(
    ("keys", "event"),
    [
        (
            '"index":0,"item":{"mediaid":"9u6OHIO4","title":"x","feedid":"ON53iLoH","duration":60}',
            PlaylistItem("", "9u6OHIO4", "x", "ON53iLoH", 60_000),
        ),
        (
            '"mediaid":"AAAAAAAA","title":"out","duration":30,"item":{"mediaid":"9u6OHIO4","title":"in"}',
            PlaylistItem("", "AAAAAAAA", "out", None, 30_000),
        ),
        (
            '"mediaid":null,"title":null,"item":{"mediaid":"9u6OHIO4","title":"in"}',
            PlaylistItem("", "9u6OHIO4", "in"),
        ),
        (
            '"item":{"mediaid":"9u6OHIO4","live":"custom","play":17,"player":{},"sources":[{}]}',
            PlaylistItem("", "9u6OHIO4", ""),
        ),
        ('"mediaid":"9u6OHIO4","item":null', PlaylistItem("", "9u6OHIO4", "")),
    ],
)
def test_items_as_jw_nests_them(keys: str, event: PlaylistItem) -> None:
    """`item` gives what does not stand outside: mediaid, title, feedid and duration, nothing else."""
    assert of_kind(event_of(f'{{"type":"playlistItem",{keys}}}')) == of_kind(event)


@pytest.mark.parametrize(
    "duration", ["null", "NaN", "Infinity", "-Infinity", "0", "-1", "0.999", "1e12", "1e999"]
)
def test_no_duration(duration: str) -> None:
    """Null, NaN, infinite, below one second, or beyond all measure: there is no duration (live)."""
    assert event_of(f'{{"event":"time","position":1,"duration":{duration}}}') == Time("", 1000, None)
    assert event_of(f'{{{ITEM},"duration":{duration}}}') == PlaylistItem("", "9u6OHIO4", "")


@pytest.mark.parametrize(
    ("duration", "duration_ms"), [("1", 1000), ("1.0", 1000), ("29.9996", 30_000), ("1e11", 10**14)]
)
def test_durations(duration: str, duration_ms: int) -> None:
    """From one second on a duration is one, in whole milliseconds."""
    assert event_of(f'{{"event":"time","position":1,"duration":{duration}}}') == Time("", 1000, duration_ms)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"event":"time"}', "position is missing: it must be a finite number of seconds"),
        ('{"event":"time","position":null}', "position is missing: it must be a finite number of seconds"),
        ('{"event":"time","position":"12"}', 'position must be a finite number of seconds, not "12"'),
        ('{"event":"time","position":true}', "position must be a finite number of seconds, not true"),
        ('{"event":"time","position":NaN}', "position must be a finite number of seconds, not NaN"),
        ('{"event":"time","position":1e999}', "position must be a finite number of seconds, not Infinity"),
        (
            '{"event":"time","position":1.1e11}',
            "position must be a finite number of seconds, not 110000000000.0",
        ),
        ('{"event":"time","position":[1]}', "position must be a finite number of seconds, not an array"),
        ('{"event":"time","position":{"s":1}}', "position must be a finite number of seconds, not an object"),
        (
            '{"event":"time","position":1,"duration":"600"}',
            'duration must be a number of seconds or null, not "600"',
        ),
        (
            '{"event":"time","position":1,"duration":false}',
            "duration must be a number of seconds or null, not false",
        ),
        ('{"event":"seek","offset":"x"}', 'offset must be a finite number of seconds, not "x"'),
        ('{"event":"seek","offset":-Infinity}', "offset must be a finite number of seconds, not -Infinity"),
        ('{"event":"playbackRateChanged"}', "playbackRate is missing: it must be a number"),
        ('{"event":"playbackRateChanged","playbackRate":"2x"}', 'playbackRate must be a number, not "2x"'),
        ('{"event":"playlistItem"}', "mediaid is missing: it must be 8 of [0-9A-Za-z]"),
        ('{"event":"playlistItem","mediaid":""}', 'mediaid must be 8 of [0-9A-Za-z], not ""'),
        ('{"event":"playlistItem","mediaid":12345678}', "mediaid must be 8 of [0-9A-Za-z], not 12345678"),
        ('{"event":"playlistItem","mediaid":"9u6OHIO"}', 'mediaid must be 8 of [0-9A-Za-z], not "9u6OHIO"'),
        ('{"event":"playlistItem","mediaid":"9u6OHIO_"}', 'mediaid must be 8 of [0-9A-Za-z], not "9u6OHIO_"'),
        (
            '{"event":"playlistItem","mediaid":"9u6OHIOé"}',
            'mediaid must be 8 of [0-9A-Za-z], not "9u6OHIO\\u00e9"',
        ),
        (
            '{"event":"playlistItem","mediaid":"9u6OHIO²"}',
            'mediaid must be 8 of [0-9A-Za-z], not "9u6OHIO\\u00b2"',
        ),
        ('{"event":"playlistItem","item":"9u6OHIO4"}', "item must be an object or null"),
        ('{"event":"playlistItem","item":{"mediaid":"x"}}', 'mediaid must be 8 of [0-9A-Za-z], not "x"'),
        (f'{{{ITEM},"title":1917}}', "title must be a text, not 1917"),
        (f'{{{ITEM},"live":"yes"}}', 'live must be true, false or null, not "yes"'),
        (f'{{{ITEM},"live":1}}', "live must be true, false or null, not 1"),
        (f'{{{ITEM},"duration":"60"}}', 'duration must be a number of seconds or null, not "60"'),
        (f'{{{ITEM},"play":17}}', "play must be a text of at most 64 characters, not 17"),
        (f'{{{ITEM},"player":{{}}}}', "player must be a text of at most 64 characters, not an object"),
        ('{"event":"play","player":3}', "player must be a text of at most 64 characters, not 3"),
    ],
)
def test_bad_events(line: str, message: str) -> None:
    """A missing or wrong value is refused; the message names the key, what it may hold, and what it held."""
    error = refusal_of(line).error
    assert (type(error), str(error)) == (BadEvent, message)


@pytest.mark.parametrize("key", ["play", "player"])
def test_keys_of_the_player(key: str) -> None:
    """A key of the player's own may have 64 characters, whatever their size in bytes."""
    assert event_of(f'{{{ITEM},"{key}":"{"é" * 64}"}}')
    assert "64 characters" in str(refusal_of(f'{{{ITEM},"{key}":"{"é" * 65}"}}').error)


def test_messages_are_short() -> None:
    """A message shows the beginning of a long value, never all of it."""
    for value in ('"' + "é" * 5000 + '"', "9" * 4000, "[" + "1," * 2000 + "1]"):
        assert len(str(refusal_of(f'{{"event":"time","position":{value}}}').error)) < 400


def test_a_rate_beyond_every_float() -> None:
    """An integer that no float can hold is a rate far out of range, not a crash."""
    event = event_of(f'{{"event":"playbackRateChanged","playbackRate":{"9" * 4000}}}')
    assert isinstance(event, PlaybackRateChanged) and event.rate > 2
