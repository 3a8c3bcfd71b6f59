"""mpv's messages → events for jwpingd, in their order.  Knows neither socket nor clock.

mpv sends `seek` and `playback-restart` for the start of a file too; they are no seek of the viewer.  Its
`seek` does not tell where to: the first tick after `seeked` does.  Source: mpv(1), "JSON IPC".
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from jwpingd.attach.media import Described, MediaRule

Message = dict[str, Any]

TICK_S = 0.25  # JW's players tick four times a second; mpv tells its position with every frame.
OBSERVED = ("pause", "speed", "eof-reached", "time-pos")
_DESCRIPTION = ("path", "media-title", "script-opts")
_MAX_NUMBER = 1e9  # seconds; infinite is live
_VERSION, _POSITION = "mpv-version", "time-pos"


class Phase(Enum):
    """Only while PLAYING, positions are what is seen.  An item is told when it turns READY."""

    IDLE = 0
    LOADED = 1
    READY = 2
    PLAYING = 3
    SEEKING = 4


class Translation:
    """Feed it mpv's messages; it yields events for jwpingd, and commands (with "command") for mpv.

    One for each connection to mpv.
    """

    def __init__(self, rule: MediaRule) -> None:
        self._rule = rule
        self._phase = Phase.IDLE
        self._questions: dict[int, str] = {}  # request id → property
        self._n_asked = 0
        self._answers: dict[str, Any] = {}
        self._is_midway = False
        self._is_paused = False
        self._speed: float = 1.0
        self._position: float | None = None  # the newest, while no tick has told it
        self._next_tick_s = 0.0

    def start(self) -> Iterator[Message]:
        """What to ask of an mpv that has just been reached: it may be playing already."""
        yield from self._ask(_VERSION)
        yield from ({"command": ["observe_property", 0, name]} for name in OBSERVED)
        yield from self._ask(_POSITION)

    def messages(self, message: Message, now_s: float) -> Iterator[Message]:
        """What follows from one message of mpv's, read at `now_s` of any steady clock."""
        match message:
            case {"event": "file-loaded"}:
                yield from self._load(now_s, is_midway=False)
            case {"request_id": int(request), "error": error} if request in self._questions:
                value = message.get("data") if error == "success" else None
                yield from self._answer(self._questions.pop(request), value, now_s)
            case {"event": "seek"} if self._phase in (Phase.PLAYING, Phase.SEEKING):
                yield from self._tick()
                self._phase = Phase.SEEKING
                yield {"event": "seek"}
            case {"event": "playback-restart"}:
                yield from self._restart(now_s)
            case {"event": "end-file"}:
                yield from self._end("complete" if message.get("reason") == "eof" else "remove")
            case {"event": "property-change", "name": str(name)}:
                yield from self._property(name, message.get("data"), now_s)

    def lost(self) -> Iterator[Message]:
        """mpv is gone."""
        yield from self._end("remove")

    # --- how it is done -----------------------------------------------------------------------

    def _ask(self, *names: str) -> Iterator[Message]:
        for name in names:
            self._n_asked += 1
            self._questions[self._n_asked] = name
            yield {"command": ["get_property", name], "request_id": self._n_asked}

    def _load(self, now_s: float, *, is_midway: bool) -> Iterator[Message]:
        """A file is there: find out which.  Answers about another one are no answers any more."""
        yield from self._end("remove")
        self._questions.clear()
        self._phase, self._is_midway = Phase.LOADED, is_midway
        self._position, self._next_tick_s = None, now_s
        yield from self._ask(*_DESCRIPTION)

    def _answer(self, name: str, value: Any, now_s: float) -> Iterator[Message]:
        self._answers[name] = value
        if name == _VERSION and value:
            yield {"event": "hello", "player": {"version": str(value).removeprefix("mpv ")}}
        elif name == _POSITION and value is not None and self._phase is Phase.IDLE:
            yield from self._load(now_s, is_midway=True)
        elif name == _DESCRIPTION[-1] and self._phase is Phase.LOADED:
            yield from self._tell_item()
        elif name == "duration" and self._phase is Phase.READY:
            # Ticks wait for this answer: one without a duration would start a live play.
            self._phase = Phase.PLAYING

    def _tell_item(self) -> Iterator[Message]:
        options = self._answers["script-opts"]
        described = Described(
            str(self._answers["path"] or ""),
            str(self._answers["media-title"] or ""),
            options if isinstance(options, dict) else {},
        )
        item = self._rule.item(described)
        self._phase = Phase.READY
        yield {"event": "playlistItem", "mediaid": item.media_id, "title": item.title}
        if self._speed != 1:
            yield {"event": "playbackRateChanged", "playbackRate": self._speed}
        if self._is_paused:
            yield {"event": "pause"}
        if self._is_midway:
            yield from self._ask("duration")

    def _restart(self, now_s: float) -> Iterator[Message]:
        if self._phase is Phase.SEEKING:
            self._phase, self._next_tick_s = Phase.PLAYING, now_s
            yield {"event": "seeked"}
        elif self._phase is Phase.IDLE:  # From an end that --keep-open kept, or before we came.
            yield from self._load(now_s, is_midway=True)
        elif self._phase in (Phase.LOADED, Phase.READY):
            yield from self._ask("duration")

    def _property(self, name: str, value: Any, now_s: float) -> Iterator[Message]:
        is_told = self._phase not in (Phase.IDLE, Phase.LOADED)
        if name == "time-pos":
            self._position = _number(value) if self._phase is Phase.PLAYING else None
            if self._position is not None and now_s >= self._next_tick_s:
                self._next_tick_s = now_s + TICK_S
                yield from self._tick()
        elif name == "pause" and bool(value) != self._is_paused:
            self._is_paused = bool(value)
            yield from self._tick()
            if is_told:
                yield {"event": "pause" if value else "play"}
        elif name == "speed" and (speed := _number(value)) is not None and speed != self._speed:
            self._speed = speed
            if is_told:
                yield {"event": "playbackRateChanged", "playbackRate": speed}
        elif name == "eof-reached" and value:  # with --keep-open no end-file comes
            yield from self._end("complete")

    def _tick(self) -> Iterator[Message]:
        """The newest position, unless it has been told: nothing watched before a break is lost."""
        if self._position is not None:
            duration = _number(self._answers.get("duration"))
            yield {"event": "time", "position": self._position, "duration": duration}
            self._position = None

    def _end(self, event: str) -> Iterator[Message]:
        yield from self._tick()
        was_told = self._phase not in (Phase.IDLE, Phase.LOADED)
        self._phase = Phase.IDLE
        if was_told:
            yield {"event": event}


def _number(value: Any) -> float | None:
    """mpv's number; None for what is none."""
    return value if type(value) in (int, float) and abs(value) < _MAX_NUMBER else None
