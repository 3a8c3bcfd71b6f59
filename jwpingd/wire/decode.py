"""A JSON object → the event it stands for.  Names are those of the JW Player API; others are ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jwpingd.errors import UnknownEvent
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
from jwpingd.wire.hello import hello
from jwpingd.wire.values import (
    duration_ms,
    flag,
    is_jw_id,
    part,
    position_ms,
    rate,
    short_text,
    shown,
    text,
    wrong,
)

MAX_KEY_CHARACTERS = 64
"""Of `player` and `play`: the daemon keeps them as long as the play lasts."""

MAX_ACK_ID_CHARACTERS = 128
"""Of `id`: the daemon keeps it until the acknowledgement is written; a UUID has 36."""


def event_of(values: dict[str, Any]) -> Event:
    """The event.  Raises UnknownEvent for a name that is not known, BadEvent for a wrong value."""
    try:
        read = _READERS[values["event"]]
    except (KeyError, TypeError):
        read = _reader_of(values)  # outside the hot path: no `event`, or none that is known
    return read(values)


def ack_id_of(values: dict[str, Any]) -> str | int | None:
    """What the player wants acknowledged, None for nothing.  Raises BadEvent."""
    ack_id = values.get("id")
    if ack_id is None:
        return None
    if type(ack_id) is str and len(ack_id) <= MAX_ACK_ID_CHARACTERS:
        return ack_id
    if type(ack_id) is int and -(2**63) <= ack_id < 2**64:
        return ack_id
    raise wrong("id", f"a text of at most {MAX_ACK_ID_CHARACTERS} characters or a 64-bit integer", ack_id)


def _reader_of(values: dict[str, Any]) -> Callable[[dict[str, Any]], Event]:
    """The reader of the event named by `event` or, as in JW's callbacks, `type`."""
    name = values.get("event")
    if name is None:
        name = values.get("type")
    if type(name) is not str:
        raise wrong("event", "a text", name)
    read = _READERS.get(name)
    if read is None:
        raise UnknownEvent(f"{shown(name)} is not known here and is ignored")
    return read


def _player(values: dict[str, Any]) -> str:
    if "player" not in values:
        return ""
    return short_text(values["player"], "player", MAX_KEY_CHARACTERS)


def _playlist_item(values: dict[str, Any]) -> PlaylistItem:
    """JW's callback nests what it knows of the item in `item`; what stands outside wins."""
    item = part(values.get("item"), "item")
    media_id, title, feed_id, duration = (
        values[key] if values.get(key) is not None else item.get(key)
        for key in ("mediaid", "title", "feedid", "duration")
    )
    if not is_jw_id(media_id):
        raise wrong("mediaid", "8 of [0-9A-Za-z]", media_id)
    return PlaylistItem(
        player=_player(values),
        media_id=media_id,
        title=text(title, "title"),
        # A feed id is a detail of the ping: a wrong one must not cost the play.
        feed_id=feed_id if is_jw_id(feed_id) else None,
        duration_ms=duration_ms(duration),
        is_live=flag(values.get("live"), "live"),
        play_key=short_text(values.get("play"), "play", MAX_KEY_CHARACTERS),
    )


def _time(values: dict[str, Any]) -> Time:
    return Time(
        _player(values) if "player" in values else "",
        position_ms(values.get("position"), "position"),
        duration_ms(values.get("duration")),
    )


def _seek(values: dict[str, Any]) -> Seek:
    offset = values.get("offset")
    return Seek(_player(values), None if offset is None else position_ms(offset, "offset"))


def _playback_rate_changed(values: dict[str, Any]) -> PlaybackRateChanged:
    return PlaybackRateChanged(_player(values), rate(values.get("playbackRate")))


def _plain(event: Callable[[str], Event]) -> Callable[[dict[str, Any]], Event]:
    """The reader of an event that says nothing but that it happened."""
    return lambda values: event(_player(values))


_READERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "hello": hello,
    "playlistItem": _playlist_item,
    "time": _time,
    "seek": _seek,
    "seeked": _plain(Seeked),
    "play": _plain(Play),
    "pause": _plain(Pause),
    "playbackRateChanged": _playback_rate_changed,
    "adImpression": _plain(AdImpression),
    "complete": _plain(Complete),
    "remove": _plain(Remove),
}
