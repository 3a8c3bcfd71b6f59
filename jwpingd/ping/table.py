"""The one table of wire keys.  Encoding order, validation, the documentation and the collector follow it.

Source: docs/ping-interface.md, §2 and §3 (JW Player's "Video Analytics" page for OTT apps).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

BUCKETS = {
    "jwplayer6": "/v1/jwplayer6/ping.gif",
    "clienta": "/v1/clienta/ping.gif",
}
"""Bucket → path of the request target."""


class Event(NamedTuple):
    """An event of the interface: its short name on the wire, its name, and its bucket."""

    kind: str
    name: str
    bucket: str


EVENTS = {
    event.kind: event
    for event in (
        Event("e", "setup", "jwplayer6"),  # an item has been loaded into the player
        Event("i", "impression", "clienta"),  # the first frame of an ad creative has been shown
        Event("s", "play", "jwplayer6"),  # the first frame of the video has been shown
        Event("t", "quantile", "jwplayer6"),  # playback passed a quantile threshold; live: every 20 s watched
        Event("vs", "seeked", "jwplayer6"),  # a seek ended (seeks within 1 s of each other count as one)
        Event("gab", "generic abandonment", "jwplayer6"),  # the play is over
    )
}

LISTED_SYSTEMS = {
    "Web": "0",
    "tvOS": "4",
    "Tizen": "0",
    "SmartCast": "0",
    "RokuOS": "3",
    "iPadOS": "2",
    "iOS": "2",
    "Fire TV": "6",
    "Fire Mobile": "6",
    "Apple TVOS": "4",
    "Android TV": "1",
    "Android Mobile": "1",
    "Android": "1",
}
"""The operating systems that the interface lists → the platform number that follows from each."""


class Key(NamedTuple):
    """One parameter: its wire key, what it means, its form in words and as a pattern, and where it is due.

    `presence` is "required" on every ping, "optional", or "progress": required on s, t, vs and gab,
    absent on the others (a vs before s is the exception: ping interface §5.7).
    `max_encoded_bytes` bounds texts after percent-encoding; 0 for keys whose pattern bounds them.
    """

    key: str
    meaning: str
    form: str
    pattern: str
    presence: str
    source: str
    max_encoded_bytes: int = 0

    def fits(self, value: str) -> bool:
        """Whether `value` has the key's form.  Compiled when first asked: the daemon itself never does."""
        return re.fullmatch(self.pattern, value, re.DOTALL) is not None


_TEXT = r".+"
_WHOLE = r"0|[1-9][0-9]*"

KEYS = tuple(
    Key(*row)
    for row in (
        (
            "aid",
            "analytics id of the JW property",
            "22 of [A-Za-z0-9+_-]",
            r"[A-Za-z0-9+_-]{22}",
            "required",
            "configuration",
        ),
        ("e", "event", "e i s t vs gab", "|".join(EVENTS), "required", "session"),
        ("sa", "when the event happened", "Unix epoch, ms", r"[1-9][0-9]{0,14}", "required", "clock"),
        (
            "emi",
            "one id per player instance (embed)",
            "12 of [0-9a-z]",
            r"[0-9a-z]{12}",
            "required",
            "random, per player on a connection",
        ),
        ("pli", "one id per item played", "12 of [0-9a-z]", r"[0-9a-z]{12}", "required", "random, per play"),
        (
            "pss",
            "number of the item within the same embed",
            "1-99999",
            r"[1-9][0-9]{0,4}",
            "required",
            "counts up per item",
        ),
        (
            "fed",
            "feed or playlist the item came from",
            "8 of [0-9A-Za-z], or empty",
            r"[0-9A-Za-z]{8}|",
            "required",
            "event; else configuration",
        ),
        ("id", "media id", "8 of [0-9A-Za-z]", r"[0-9A-Za-z]{8}", "required", "event"),
        ("t", "title", "text", _TEXT, "required", "event; else the media id", 1024),
        ("av", "app version", "text", _TEXT, "required", "app detection", 512),
        ("bun", "app bundle id", "reverse domain name", _TEXT, "required", "app detection", 512),
        ("oos", "device OS", "one of the listed systems", _TEXT, "required", "device detection", 512),
        ("sdk", "platform number", "0-6", r"[0-6]", "required", "follows oos"),
        ("oaid", "app user id", "40 of [0-9a-z]", r"[0-9a-z]{40}", "optional", "identity"),
        (
            "oiid",
            "app config id, or install id",
            "8 of [0-9A-Za-z]",
            r"[0-9A-Za-z]{8}",
            "optional",
            "hello or configuration; else a stable id made once per installation",
        ),
        ("om", "device model", "text", _TEXT, "optional", "device detection", 512),
        ("oosv", "OS version", "text", _TEXT, "optional", "device detection", 512),
        ("olng", "OS language", "e.g. en-us", _TEXT, "optional", "device detection", 512),
        ("ofv", "firmware version", "text", _TEXT, "optional", "device detection", 512),
        (
            "ifa",
            "advertising id",
            "8-4-4-4-12 hex",
            r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
            "optional",
            "identity; absent when limited or opted out",
        ),
        ("ppid", "partner player id", "1-99", r"[1-9][0-9]?", "optional", "configuration"),
        (
            "psv",
            "version of the ping specification",
            "SemVer",
            r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}([-+][0-9A-Za-z.+-]+)?",
            "optional",
            "configuration",
            512,
        ),
        ("epv", "version of the external player", "text", _TEXT, "optional", "the player's hello", 512),
        ("vd", "duration in whole seconds, truncated; live: 0", "integer", _WHOLE, "progress", "session"),
        ("q", "number of quantiles; live: 0", "0 1 4 8 16 32", r"0|1|4|8|16|32", "progress", "session"),
        (
            "pw",
            "how far, in 128ths of the duration; live: -1",
            "-1-128",
            r"-1|[0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]",
            "progress",
            "session",
        ),
        ("ti", "seconds watched and not yet reported", "integer", _WHOLE, "progress", "session"),
    )
)
"""Every parameter, in the order in which it is written."""

PROGRESS_KINDS = frozenset({"s", "t", "vs", "gab"})
MAX_TARGET_BYTES = 6 * 1024
"""Common servers and proxies take a request line of 8 KiB."""


def violations(bucket: str, parameters: Mapping[str, str]) -> list[str]:
    """What is wrong with one ping by the table, in words; an empty list when nothing is.

    Knows single pings only: rules across pings (order, one s, one gab) are the collector's.
    """
    kind = parameters.get("e", "")
    found = [message for key in KEYS for message in _key_violations(key, kind, parameters)]
    known = {key.key for key in KEYS}
    found += [f"{key} is not a parameter of the interface" for key in parameters if key not in known]
    if kind in EVENTS and EVENTS[kind].bucket != bucket:
        found.append(f"e={kind} belongs in bucket {EVENTS[kind].bucket}, not {bucket}")
    return found + _consistency_violations(kind, parameters)


def _key_violations(key: Key, kind: str, parameters: Mapping[str, str]) -> list[str]:
    value = parameters.get(key.key)
    if value is None:
        return [f"{key.key} ({key.meaning}) is missing"] if _is_due(key, kind, parameters) else []
    if key.presence == "progress" and kind not in PROGRESS_KINDS:
        return [f"{key.key} does not belong on e={kind}"]
    if not key.fits(value):
        return [f"{key.key}={value!r} is not {key.form}"]
    return []


def _is_due(key: Key, kind: str, parameters: Mapping[str, str]) -> bool:
    if key.presence == "required":
        return True
    if key.presence != "progress" or kind not in PROGRESS_KINDS:
        return False
    # A vs that falls due before s was sent goes out without all four (ping interface §5.7).
    return kind != "vs" or any(other in parameters for other in ("vd", "q", "pw", "ti"))


def _consistency_violations(kind: str, parameters: Mapping[str, str]) -> list[str]:
    found = []
    system = parameters.get("oos")
    if system in LISTED_SYSTEMS and parameters.get("sdk") != LISTED_SYSTEMS[system]:
        found.append(f"sdk={parameters.get('sdk')} does not follow from oos={system}")
    for key in ("q", "pw", "ti", "vd"):
        if not _key(key).fits(parameters.get(key, "")):
            return found
    n_quantiles, position = int(parameters["q"]), int(parameters["pw"])
    if (n_quantiles == 0) != (position == -1):
        found.append(f"q={n_quantiles} with pw={position}: live plays have q=0 and pw=-1, others neither")
    if kind == "t" and n_quantiles and (position == 0 or position % (128 // n_quantiles)):
        found.append(f"pw={position} on e=t is not one of the {n_quantiles} thresholds")
    if kind in ("s", "vs") and parameters["ti"] != "0":
        found.append(f"ti={parameters['ti']} on e={kind}: only t and gab report seconds")
    return found


def _key(wanted: str) -> Key:
    return next(key for key in KEYS if key.key == wanted)
