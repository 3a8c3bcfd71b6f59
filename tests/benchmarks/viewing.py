"""What players write: ticks at their own pace, and whole plays at once that tell when each tick was."""

from __future__ import annotations

import json
import socket
import time

from tests.benchmarks.bench import ask

PLAY_S = 540
"""Of viewing that can be told at once: `at` is believed up to ten minutes back."""

TICKS_PER_S = 10


def tick(position_s: float) -> bytes:
    return b'{"event":"time","position":%.2f,"duration":653.8}\n' % position_s


def item(media_id: str = "9u6OHIO4") -> bytes:
    return b'{"event":"playlistItem","mediaid":"%s","title":"Elephants Dream"}\n' % media_id.encode()


def play_of(n_s: int, ticks_per_s: int = TICKS_PER_S) -> bytes:
    """A play that ended just now, as lines with `at`; the last asks for an ack."""
    began_s = time.clock_gettime(time.CLOCK_BOOTTIME) - n_s
    events: list[dict[str, object]] = [
        {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream", "at": began_s}
    ]
    for n in range(n_s * ticks_per_s):
        position_s = n / ticks_per_s
        events.append({"event": "time", "position": position_s, "duration": n_s, "at": began_s + position_s})
    events.append({"event": "remove", "id": "end", "at": began_s + n_s})
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def watch(player: socket.socket, n_s: int, ticks_per_s: int = TICKS_PER_S) -> None:
    """Tell of a whole play at once, and wait until all it made is on flash."""
    ask(player, play_of(n_s, ticks_per_s))
