"""Tells jwpingd what an mpv plays.  Standard library only; mpv needs nothing but its own JSON IPC.

    mpv --idle --input-ipc-server=/tmp/mpv.sock &
    python3 mpv_forwarder.py /tmp/mpv.sock /run/jwpingd/player.sock --mediaid 9u6OHIO4

Says "ready" once no event can be missed: load files after that.  Source: mpv(1), "JSON IPC".
"""

from __future__ import annotations

import argparse
import json
import socket
import time
from collections.abc import Iterator
from enum import Enum
from typing import Any

TICK_S = 0.25  # JW's players tick four times a second; mpv tells its position with every frame.
DURATION_REQUEST = 1  # The id of our only question that has an answer.
Phase = Enum("Phase", "IDLE LOADED PLAYING SEEKING")  # Only while PLAYING, positions are what is seen.


def main() -> None:
    parser = argparse.ArgumentParser(description="Tells jwpingd what an mpv plays.")
    parser.add_argument("mpv", help="the socket of mpv's --input-ipc-server")
    parser.add_argument("jwpingd", help="the daemon's player.sock")
    parser.add_argument("--mediaid", required=True, help="JW media id of what is played")
    parser.add_argument("--title", default="", help="its title")
    arguments = parser.parse_args()
    with socket.socket(socket.AF_UNIX) as mpv, socket.socket(socket.AF_UNIX) as daemon:
        mpv.connect(arguments.mpv)
        daemon.connect(arguments.jwpingd)
        _forward(mpv, daemon, Translation(arguments.mediaid, arguments.title))


def _forward(mpv: socket.socket, daemon: socket.socket, translation: Translation) -> None:
    for name in ("pause", "speed", "eof-reached", "time-pos"):
        _send(mpv, {"command": ["observe_property", 0, name]})
    lines = mpv.makefile("rb")
    while json.loads(next(lines)).get("name") != "time-pos":
        pass  # The values before the first change; time-pos is the last of them.
    print("ready", flush=True)
    for line in lines:
        message = json.loads(line)
        if message.get("event") == "playback-restart":
            _send(mpv, {"command": ["get_property", "duration"], "request_id": DURATION_REQUEST})
        for event in translation.events(message, time.monotonic()):
            # The moment goes along, so that a busy box cannot shift it on the way.
            _send(daemon, event | {"at": time.clock_gettime(time.CLOCK_BOOTTIME)})


def _send(to: socket.socket, message: dict[str, Any]) -> None:
    to.sendall(json.dumps(message).encode() + b"\n")


class Translation:
    """mpv's messages → the daemon's events, in their order.  Knows neither socket nor clock.

    mpv sends `seek` and `playback-restart` for the start of a file too; they are no seek of the viewer.
    Its `seek` does not tell where to: the first tick after `seeked` does.
    """

    def __init__(self, media_id: str, title: str) -> None:
        self._item = {"mediaid": media_id, "title": title}
        self._phase = Phase.IDLE
        self._duration: float | None = None
        self._position: float | None = None  # the newest, while no tick has told it
        self._next_tick_s = 0.0

    def events(self, message: dict[str, Any], now_s: float) -> Iterator[dict[str, Any]]:
        """The daemon's events for one message of mpv's, read at `now_s` of any steady clock."""
        match message:
            case {"event": "file-loaded"}:
                self._phase, self._position, self._next_tick_s = Phase.LOADED, None, now_s
                yield {"event": "playlistItem", **self._item}
            case {"request_id": request, "error": _} if request == DURATION_REQUEST:
                self._duration = message.get("data")  # absent when mpv does not know it
                # Ticks wait for this answer: one without a duration would start a live play.
                self._phase = Phase.PLAYING if self._phase is Phase.LOADED else self._phase
            case {"event": "seek"} if self._phase in (Phase.PLAYING, Phase.SEEKING):
                yield from self._tick()
                self._phase = Phase.SEEKING
                yield {"event": "seek"}
            case {"event": "playback-restart"} if self._phase is Phase.SEEKING:
                self._phase, self._next_tick_s = Phase.PLAYING, now_s
                yield {"event": "seeked"}
            case {"event": "end-file"} if self._phase is not Phase.IDLE:
                yield from self._end("complete" if message.get("reason") == "eof" else "remove")
            case {"name": name, "data": value} if self._phase is not Phase.IDLE:
                yield from self._property(name, value, now_s)

    def _property(self, name: str, value: Any, now_s: float) -> Iterator[dict[str, Any]]:
        if name == "time-pos":
            self._position = value if self._phase is Phase.PLAYING else None
            if self._position is not None and now_s >= self._next_tick_s:
                self._next_tick_s = now_s + TICK_S
                yield from self._tick()
        elif name == "pause":
            yield from self._tick()
            yield {"event": "pause" if value else "play"}
        elif name == "speed":
            yield {"event": "playbackRateChanged", "playbackRate": value}
        elif name == "eof-reached" and value:  # with --keep-open no end-file comes
            yield from self._end("complete")

    def _tick(self) -> Iterator[dict[str, Any]]:
        """The newest position, unless it has been told: nothing watched before a break is lost."""
        if self._position is not None:
            yield {"event": "time", "position": self._position, "duration": self._duration}
            self._position = None

    def _end(self, event: str) -> Iterator[dict[str, Any]]:
        yield from self._tick()
        self._phase = Phase.IDLE
        yield {"event": event}


if __name__ == "__main__":
    main()
