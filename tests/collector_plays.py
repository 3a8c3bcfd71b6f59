"""Plays as the collector is sent them: targets as the daemon writes them."""

from __future__ import annotations

from collections.abc import Callable

from jwpingd import ping
from jwpingd.device import Device
from jwpingd.moment import Moment
from jwpingd.ping import Facts, Ping, Progress

START_MS = 1_700_000_000_000
FACTS = Facts("a17e8PTFFffxLgpVuA4vVw", "com.example.tv", "2.4.1", Device("test"), install_id="ab12cd34")


def made(
    kind: str,
    at_ms: int,
    *,
    pw: int | None = None,
    ti: int = 0,
    vd: int = 653,
    q: int = 32,
    play: str = "play00000001",
    embed: str = "embed0000001",
    number: int = 1,
    media: str = "9u6OHIO4",
    title: str = "Elephants Dream",
    facts: Facts = FACTS,
) -> str:
    """The target of one ping of a play that began at START_MS, as the daemon writes it."""
    progress = None if pw is None else Progress(vd, q, pw, ti)
    moment = Moment("boot", at_ms, START_MS + at_ms)
    made_ping = Ping(kind, moment, embed, play, number, media, title, None, progress)
    return ping.stamp(ping.target(made_ping, facts), START_MS + at_ms)


def good_play(make: Callable[..., str] = made) -> list[str]:
    """A film with an ad, two thresholds, a seek, and a threshold reached again after it."""
    return [
        make("e", 0),
        make("i", 500),
        make("s", 1_000, pw=0),
        make("t", 21_500, pw=4, ti=20),
        make("t", 42_000, pw=8, ti=21),
        make("vs", 45_000, pw=8),
        make("t", 60_000, pw=8, ti=17),
        make("gab", 64_000, pw=9, ti=4),
    ]
