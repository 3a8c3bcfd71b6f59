"""Viewers who do everything that the rules of a play speak of, and by preference on the border of a rule.

They are driven by a `random.Random`, or by Hypothesis' own, which then shrinks what they did.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

Line = dict[str, Any]

BORDERS = (30_000, 60_000, 180_000, 300_000)
DURATIONS = (None, None, 999, 1000, 72_000, *BORDERS, *(border - 1 for border in BORDERS))
TICK_INTERVALS = (1, 250, 1000, 2500, 5000, 10_000, 19_999, 20_000, 30_000, 30_001)
ACTIONS = (
    *("watch", "watch", "watch", "tick", "tick", "tick", "tick", "tick", "seek", "seek", "seeked", "seeked"),
    *("pause", "play", "rate", "ad", "whole seek", "whole seek", "complete", "remove", "item"),
)
"How often each happens; the last three end a play and are rarer still, see `Viewer.act`."


@dataclass
class Viewer:
    """One player and who watches it.  All times are whole milliseconds; `now` is that of the box."""

    random: Random
    name: str
    lines: list[Line]
    duration: int | None = None
    position: int = 0
    tick_at: int = 0
    seek_at: int = 0
    seeked_at: int = 0

    def act(self, now: int) -> int:
        """One or several events from `now` on; the moment of the last."""
        action = self.random.choice(ACTIONS)
        if action in ("complete", "remove", "item") and self.random.random() < 0.6:
            action = "tick"
        now += self.wait(now)
        match action:
            case "watch":
                return self.watch(now)
            case "tick":
                self.tick(now, self.place(now))
            case "seek" | "whole seek":
                self.seek(now)
            case "rate":
                rate = self.random.choice([1, 1, 2, 2.001, 0, -1, 0.001, 8, float("nan")])
                self.say(now, "playbackRateChanged", playbackRate=rate)
            case "item":
                self.item(now)
            case _:
                self.say(now, {"ad": "adImpression"}.get(action, action))
        if action == "seeked":
            self.seeked_at = now
        if action == "whole seek":
            return self.settle(now)
        return now

    def settle(self, now: int) -> int:
        """The end of a seek, and often a little of what follows it, or the end of the film."""
        now += self.random.choice([0, 1, 200, 999, 1000, 4999, 5000])
        self.seeked_at = now
        self.say(now, "seeked")
        for _ in range(self.random.choice([0, 0, 1, 2, 3, 6])):
            self.tick(now, self.position + self.random.choice([1, 250, 250, 300]))
            now += self.random.choice([0, 250, 250, 500])
        match self.random.randint(1, 20):
            case 1:
                self.say(now, "complete")
            case 2:
                self.seek(now)
        return now

    def item(self, now: int) -> None:
        self.duration = self.random.choice(DURATIONS)
        self.position = 0 if self.random.random() < 0.6 else self.anywhere()
        said: Line = {}
        if self.random.random() < 0.4:
            said["duration"] = seconds(self.duration)
        if self.random.random() < 0.4:
            said["live"] = self.random.choice([True, False, False, None])
        self.say(now, "playlistItem", mediaid="9u6OHIO4", title="x", **said)

    def watch(self, now: int) -> int:
        """Ticks at one distance and one speed."""
        interval = self.random.choice(TICK_INTERVALS)
        speed = self.random.choice([1, 1, 1, 1, 0.5, 2, 0])
        for _ in range(self.random.randint(2, 9)):
            self.tick(now, self.position + int(interval * speed))
            now += interval
        return now - interval

    def tick(self, now: int, position: int) -> None:
        duration = self.duration
        chance = self.random.random()
        if chance < 0.1:
            duration = None
        elif chance < 0.2:
            duration = self.random.choice(DURATIONS)
        self.position, self.tick_at = position, now
        said = {"position": seconds(position), "duration": seconds(duration)}
        if duration is None:
            said["duration"] = self.random.choice([None, 0, -10, 0.999, float("nan"), float("inf")])
        self.say(now, "time", **said)

    def seek(self, now: int) -> None:
        self.seek_at = now
        if self.random.random() < 0.3:
            self.say(now, "seek")
            return
        self.position = self.place(now)
        self.say(now, "seek", offset=seconds(self.position))

    def wait(self, now: int) -> int:
        """Often up to the moment at which something falls due, or just beside it."""
        if self.random.random() < 0.6:
            return self.random.choice([0, 0, 1, 250, 250, 1000, 2000, 5000, 15_000, 30_000])
        mark = self.random.choice([self.seek_at + 5000, self.seeked_at + 1000, self.tick_at + 30_000])
        return max(0, mark + self.random.choice([-1, 0, 0, 1]) - now)

    def place(self, now: int) -> int:
        """Where a tick or a seek may find the play: where a rule draws its line, or just beside it."""
        waited = now - self.tick_at
        kind = self.random.choice(["flow", "flow", "jitter", "allowance", "threshold", "threshold", "any"])
        match kind:
            case "flow":
                return self.position + min(waited, 30_000) * self.random.choice([1, 1, 2])
            case "jitter":
                return self.position - self.random.choice([0, 1, 20, 999, 1000, 1001])
            case "allowance":
                w = min(waited, 30_000)
                base = self.random.choice([2 * w, 2000 + 2 * w, 10_000 + 2 * w, 10_000])
                return self.position + base + self.random.choice([0, 1])
            case "threshold":
                k = self.random.randint(0, 32)
                exact = (self.duration or 60_000) * k / 32
                return int(exact) + self.random.choice([0, 0, 1, -1, -300])
            case _:
                return self.anywhere()

    def anywhere(self) -> int:
        end = self.duration or 100_000
        return self.random.choice([self.random.randint(0, end), end, end + 3000, -5000, 10**11])

    def say(self, now: int, event: str, **more: Any) -> None:
        line = {"at": now / 1000, "event": event, **more}
        if self.name:
            line["player"] = self.name
        self.lines.append(line)


def seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def connection(random: Random, n_actions: int) -> list[Line]:
    """What the players on one connection write."""
    lines: list[Line] = []
    names = random.choice([[""], [""], [""], ["main", "pip"]])
    viewers = [Viewer(random, name, lines) for name in names]
    now = 0
    for viewer in viewers:
        if random.random() < 0.95:
            viewer.item(now)
    for _ in range(n_actions):
        now = random.choice(viewers).act(now)
    return lines
