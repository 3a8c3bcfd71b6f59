"""A second reading of the rules of a play (ping interface §4 and §5), to hold `jwpingd.session` against.

It was written from the page's text alone, without sight of the program.  Clarity goes before speed:
one function for each rule, named by its number; every quantity is a whole number of milliseconds.  It
reads lines as players write them (valid ones, in the order of `at`) and gives pings as `traces/` has them.

Where the page can be read in two ways, this is what is meant here:
- "A `play` that follows no `pause` changes nothing" stands in the rule of live ticks and is said of
  live plays.  Of an ordinary one w counts from any `play`.
- A last threshold that was reached in the second after `seeked`, and waits for its `t`, is not passed
  yet in the sense of rule 8: `complete` sends the `t`.
- A seek without an offset leaves the position open also if its `seeked` never comes.
- Where a seek leads is no movement that would end the pause of a live play, whatever its offset was.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Line = dict[str, Any]
Ping = dict[str, Any]

UNKNOWN_MOMENT = -(10**12)


@dataclass
class Play:
    """One item in one player, as far as the rules look at it."""

    item: Line
    pss: int
    duration: int | None = None
    "None for a live play, and while the duration of an announced film is not known."
    is_started: bool = False
    is_over: bool = False
    rate: float = 1
    credit: int = 0
    last_pw: int = 0
    position: int = 0
    "p₀"
    counted_at: int = UNKNOWN_MOMENT
    "Of the last counted tick, `seeked` or `play`: w is the time since then."
    allowance: int = 0
    "A"
    n_passed: int = 0
    "Thresholds 1 … n_passed count as passed."
    n_to_report: int = 0
    "The threshold that was reached and waits for its `t`; 0 for none."
    seek_at: int | None = None
    "Of the last `seek`, while its `seeked` is awaited."
    is_position_open: bool = False
    "A seek took the play nobody knows where: the next tick tells."
    vs_due_at: int | None = None
    is_paused: bool = False


@dataclass
class Log:
    """The plays of one connection and the pings they made."""

    plays: dict[str, Play] = field(default_factory=dict)
    pings: list[Ping] = field(default_factory=list)
    n_refused: int = 0
    "Events that came before their player's first item."

    def ping(self, play: Play, at: int, e: str, pw: int | None = None, ti: int = 0) -> None:
        """One ping.  `pw` None: it goes out without `vd q pw ti`."""
        item = play.item
        params = {
            "id": item["mediaid"],
            "t": item.get("title") or item["mediaid"],
            "fed": item.get("feedid") or "",
            "pss": str(play.pss),
            "e": e,
        }
        if pw is not None:
            numbers = {"vd": (play.duration or 0) // 1000, "q": n_quantiles(play), "pw": pw, "ti": ti}
            params |= {key: str(value) for key, value in numbers.items()}
        bucket = "clienta" if e == "i" else "jwplayer6"
        self.pings.append({"at": at, "bucket": bucket, "params": params})

    def report(self, play: Play, at: int, e: str, pw: int) -> None:
        """A ping that takes the whole seconds of the credit along."""
        seconds, play.credit = divmod(play.credit, 1000)
        self.ping(play, at, e, pw, seconds)
        play.last_pw = pw


def pings_of(lines: Iterable[Line], end_at: int | None = None) -> Log:
    """What these lines make; at `end_at`, if given, the connection ends."""
    log = Log()
    for line in lines:
        now = milliseconds(line["at"])
        let_timers_fire(log, now)
        handle(log, now, line)
    if end_at is not None:
        let_timers_fire(log, end_at)
        for play in log.plays.values():
            rule_9_end(log, play, end_at)
    return log


def handle(log: Log, now: int, line: Line) -> None:
    player, name = line.get("player", ""), line["event"]
    if name == "playlistItem":
        rule_1_item(log, now, line)
        return
    play = log.plays.get(player)
    if play is None:
        log.n_refused += 1
    elif not play.is_over:  # rule 11
        handle_in_play(log, play, now, line)


def handle_in_play(log: Log, play: Play, now: int, line: Line) -> None:
    match line["event"]:
        case "time":
            tick(log, play, now, milliseconds(line["position"]), real_duration(line))
        case "seek":
            offset = line.get("offset")
            rule_6_seek(play, now, None if offset is None else milliseconds(offset))
        case "seeked":
            rule_7_seeked(play, now)
        case "pause":
            rule_5_pause(play, now)
        case "play":
            rule_5_play(play, now)
        case "playbackRateChanged":
            play.rate = line["playbackRate"]
        case "adImpression":
            log.ping(play, now, "i")  # rule 10
        case "complete":
            rule_8_complete(log, play, now)
        case "remove":
            rule_9_end(log, play, now)


def tick(log: Log, play: Play, now: int, p: int, duration: int | None) -> None:
    """Which rules a tick meets, in order."""
    is_silent = False
    if play.seek_at is not None:
        if now - play.seek_at < 5000:
            return
        rule_7_missing_seeked(log, play, now)
        is_silent = True
    if play.duration is None and duration is not None and play.item.get("live") is not True:
        if play.is_started:
            rule_3_becomes_ordinary(play, now, p, duration, is_silent)
            return
        play.duration = duration
    if not play.is_started:
        rule_2_first_tick(log, play, now, p)
    elif play.duration is not None:
        rule_4_ordinary_tick(log, play, now, p)
    else:
        rule_5_live_tick(log, play, now, p, is_silent)


def rule_1_item(log: Log, now: int, line: Line) -> None:
    player = line.get("player", "")
    before = log.plays.get(player)
    if before is not None:
        rule_9_end(log, before, now)
    play = Play(line, 1 if before is None else min(before.pss + 1, 99999))
    if line.get("live") is not True:
        play.duration = real_duration(line)
    log.plays[player] = play
    log.ping(play, now, "e")


def rule_2_first_tick(log: Log, play: Play, now: int, p: int) -> None:
    if play.duration is None and play.item.get("live") is False:
        return
    play.is_started = True
    play.is_position_open = False
    play.position = p
    play.counted_at = now
    play.allowance = 2000
    play.n_passed = n_thresholds_up_to(play, p)
    log.report(play, now, "s", -1 if play.duration is None else 0)


def rule_3_becomes_ordinary(play: Play, now: int, p: int, duration: int, is_silent: bool) -> None:
    """`is_silent`: nothing is credited, because a `seeked` never came."""
    if not is_silent:
        credit_live(play, now, p)
    play.duration = duration
    play.position = p
    play.is_position_open = False
    play.n_passed = n_thresholds_up_to(play, p)
    play.last_pw = 0
    play.allowance = 2000
    play.counted_at = now


def rule_4_ordinary_tick(log: Log, play: Play, now: int, p: int) -> None:
    if play.is_position_open:  # rule 6
        play.is_position_open = False
        play.position = p
        play.n_passed = n_thresholds_up_to(play, p)
        play.counted_at = now
        return
    way = p - play.position
    if -1000 <= way <= 0:
        return
    w = min(now - play.counted_at, 30_000)
    play.allowance = min(play.allowance, 10_000) + 2 * w
    play.counted_at = now
    play.position = p
    if way < 0 or way > play.allowance or not 0 < play.rate <= 2:
        play.n_passed = n_thresholds_up_to(play, p)
        play.n_to_report = 0
        play.allowance = 0
        return
    play.credit += way
    play.allowance -= way
    if n_thresholds_up_to(play, p) > play.n_passed:
        play.n_passed = play.n_to_report = n_thresholds_up_to(play, p)
    if play.n_to_report > 0 and play.vs_due_at is None:  # rule 7
        log.report(play, now, "t", play.n_to_report * 128 // n_quantiles(play))
        play.n_to_report = 0


def rule_5_live_tick(log: Log, play: Play, now: int, p: int, is_silent: bool) -> None:
    if not is_silent:
        credit_live(play, now, p)
    play.counted_at = now
    play.position = p
    play.is_position_open = False
    if play.credit >= 20_000 and play.vs_due_at is None:
        log.report(play, now, "t", -1)


def credit_live(play: Play, now: int, p: int | None = None) -> None:
    """What was watched of a live play up to now; `p` is the position of a tick."""
    if not play.is_started or play.seek_at is not None:
        return
    w = now - play.counted_at
    if not play.is_paused and w <= 30_000:
        play.credit += w
    if p is not None and p != play.position and not play.is_position_open:
        play.is_paused = False


def rule_5_pause(play: Play, now: int) -> None:
    if play.duration is None:
        credit_live(play, now)
    play.is_paused = True


def rule_5_play(play: Play, now: int) -> None:
    if play.is_paused or play.duration is not None:
        play.is_paused = False
        play.counted_at = now


def rule_6_seek(play: Play, now: int, offset: int | None) -> None:
    if play.duration is None:
        credit_live(play, now)
    play.seek_at = now
    play.vs_due_at = None
    play.n_to_report = 0
    if play.duration is None or offset is None:
        play.is_position_open = True
    else:
        play.is_position_open = False
        play.position = offset
        play.n_passed = n_thresholds_up_to(play, offset)


def rule_7_seeked(play: Play, now: int) -> None:
    play.seek_at = None
    play.vs_due_at = now + 1000
    play.counted_at = now
    play.allowance = 2000


def rule_7_missing_seeked(log: Log, play: Play, now: int) -> None:
    play.seek_at = None
    rule_7_vs(log, play, now)


def rule_7_vs(log: Log, play: Play, now: int) -> None:
    play.vs_due_at = None
    log.ping(play, now, "vs", play.last_pw if play.is_started else None)


def rule_8_complete(log: Log, play: Play, now: int) -> None:
    play.is_over = True
    play.vs_due_at = None
    if not play.is_started:
        return
    if play.duration is None:
        log.report(play, now, "gab", -1)
        return
    if play.n_passed < n_quantiles(play) or play.n_to_report > 0:
        log.report(play, now, "t", 128)
    log.report(play, now, "gab", 128)


def rule_9_end(log: Log, play: Play, now: int) -> None:
    if play.is_started and not play.is_over:
        pw = -1 if play.duration is None else 128 * play.position // play.duration
        log.report(play, now, "gab", max(-1 if play.duration is None else 0, min(pw, 128)))
    play.is_over = True
    play.vs_due_at = None


def let_timers_fire(log: Log, now: int) -> None:
    """All that are due at or before now, the earliest first."""
    due = [(play.vs_due_at, play) for play in log.plays.values() if play.vs_due_at is not None]
    for due_at, play in sorted(due, key=lambda one: one[0]):
        if due_at <= now:
            rule_7_vs(log, play, due_at)


def n_quantiles(play: Play) -> int:
    """The table of §4; live: 0."""
    if play.duration is None:
        return 0
    for below_s, n in ((30, 1), (60, 4), (180, 8), (300, 16)):
        if play.duration < below_s * 1000:
            return n
    return 32


def n_thresholds_up_to(play: Play, p: int) -> int:
    """How many thresholds lie at or before `p`: threshold k at k × duration / q."""
    if play.duration is None:
        return 0
    q = n_quantiles(play)
    return sum(k * play.duration <= p * q for k in range(1, q + 1))


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def real_duration(line: Line) -> int | None:
    """Of an item or a tick: None if it is absent, null, NaN, infinite or below one second."""
    duration = line.get("duration")
    if duration is None or not math.isfinite(duration) or duration < 1:
        return None
    return milliseconds(duration)
