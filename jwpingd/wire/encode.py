"""An event → the line that a player would write for it: for recordings, which `replay` reads back.

Of a `hello` only what names no user is kept; a user appears as the hash that pings carry (ping
interface §6).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jwpingd.events import (
    AdImpression,
    Complete,
    Hello,
    Pause,
    Play,
    PlaybackRateChanged,
    PlayEvent,
    PlaylistItem,
    Remove,
    Seek,
    Seeked,
    Time,
)

Line = dict[str, Any]


def play_line(event: PlayEvent, *, player: str, at_ms: int) -> Line:
    """The line of `event`, said by `player` at `at_ms` of boottime."""
    name, details = _FORMS[type(event)]
    known = {key: value for key, value in details(event).items() if value is not None}
    return {"event": name, "player": player, **known, "at": at_ms / 1000}


def hello_line(hello: Hello, *, user_hash: str | None) -> Line:
    """The line of `hello`, with the user as a hash where one may be told.  Advertising ids are left out."""
    line: Line = {"event": "hello"}
    app = {"id": hello.app_id, "version": hello.app_version, "configid": hello.config_id}
    if any(app.values()):
        line["app"] = {key: value for key, value in app.items() if value is not None}
    if hello.player_version is not None:
        line["player"] = {"version": hello.player_version}
    if user_hash is not None:
        line["user"] = {"hash": user_hash}
    elif hello.is_logged_out:
        line["user"] = None
    if hello.consent is not None:
        line["consent"] = hello.consent.value
    return line


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _nothing(_event: Any) -> Line:
    return {}


def _item(event: PlaylistItem) -> Line:
    return {
        "mediaid": event.media_id,
        "title": event.title,
        "feedid": event.feed_id,
        "duration": _seconds(event.duration_ms),
        "live": event.is_live,
        "play": event.play_key or None,
    }


_FORMS: dict[type, tuple[str, Callable[[Any], Line]]] = {
    PlaylistItem: ("playlistItem", _item),
    Time: (
        "time",
        lambda event: {
            "position": event.position_ms / 1000,
            "duration": _seconds(event.duration_ms),
        },
    ),
    Seek: ("seek", lambda event: {"offset": _seconds(event.offset_ms)}),
    Seeked: ("seeked", _nothing),
    Play: ("play", _nothing),
    Pause: ("pause", _nothing),
    PlaybackRateChanged: ("playbackRateChanged", lambda event: {"playbackRate": event.rate}),
    AdImpression: ("adImpression", _nothing),
    Complete: ("complete", _nothing),
    Remove: ("remove", _nothing),
}
"""Event → its name and what else it says."""
