"""What the keys of an event may hold, and how a wrong value is told to the player.

Null counts as absent everywhere.  Times come in seconds and leave as whole milliseconds.
"""

from __future__ import annotations

import json
from typing import Any, TypeGuard

from jwpingd.errors import BadEvent

MAX_SECONDS = 1e11
"""No position, duration or moment lies beyond (some 3,000 years): sums of it stay far below 64 bits."""

MIN_DURATION_S = 1
"""JW gives live streams durations of 0 and less; the ping interface §5.3 takes all below 1 s for live."""

MAX_SHOWN_CHARACTERS = 40  # of a wrong value in a message: enough to recognise it


def position_ms(value: object, key: str) -> int:
    """A position or an offset.  Raises BadEvent unless it is a finite number."""
    if (type(value) is float or type(value) is int) and -MAX_SECONDS <= value <= MAX_SECONDS:
        return round(value * 1000)
    raise wrong(key, "a finite number of seconds", value)


def duration_ms(value: object) -> int | None:
    """A duration; None where there is none (ping interface §5.3).  Raises BadEvent unless it is a number."""
    if type(value) is float or type(value) is int:
        # NaN is in no range, and beyond the last one lies Infinity in all but name.
        return round(value * 1000) if MIN_DURATION_S <= value <= MAX_SECONDS else None
    if value is None:
        return None
    raise wrong("duration", "a number of seconds or null", value)


def moment_ms(value: object) -> int | None:
    """The moment in `at`; None unless it is a finite number: a wrong clock must not cost an event."""
    if (type(value) is float or type(value) is int) and -MAX_SECONDS <= value <= MAX_SECONDS:
        return round(value * 1000)
    return None


def rate(value: object) -> float:
    """A playback rate, NaN and Infinity included.  Raises BadEvent unless it is a number."""
    if type(value) is float:
        return value
    if type(value) is int:
        # An integer may be too large for a float; any that large is equally far out of range.
        return float(max(-MAX_SECONDS, min(value, MAX_SECONDS)))
    raise wrong("playbackRate", "a number", value)


def short_text(value: object, key: str, max_characters: int) -> str:
    """A text of at most `max_characters`, "" if absent.  Raises BadEvent."""
    if value is None:
        return ""
    if type(value) is str and len(value) <= max_characters:
        return whole(value)
    raise wrong(key, f"a text of at most {max_characters} characters", value)


def text(value: object, key: str) -> str:
    """A text, "" if absent.  Raises BadEvent."""
    if value is None:
        return ""
    if type(value) is str:
        return whole(value)
    raise wrong(key, "a text", value)


def flag(value: object, key: str) -> bool | None:
    """True, false, or None if absent.  Raises BadEvent."""
    if value is None or type(value) is bool:
        return value
    raise wrong(key, "true, false or null", value)


def is_jw_id(value: object) -> TypeGuard[str]:
    """Whether it has the form of JW's media and feed ids: 8 of [0-9A-Za-z]."""
    return type(value) is str and len(value) == 8 and value.isascii() and value.isalnum()


def part(value: object, key: str) -> dict[str, Any]:
    """A nested object, {} if absent.  Raises BadEvent; the message never shows the value."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise BadEvent(f"{key} must be an object or null")


def whole(value: str) -> str:
    """`value` with U+FFFD for half characters, which JSON can spell but UTF-8 cannot."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def wrong(key: str, allowed: str, value: object) -> BadEvent:
    """The error for a wrong value.  Not for values that may be secret: it shows them."""
    if value is None:
        return BadEvent(f"{key} is missing: it must be {allowed}")
    return BadEvent(f"{key} must be {allowed}, not {shown(value)}")


def shown(value: object) -> str:
    """`value` in a few characters of JSON; only the kind of an array or object."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str):
        value, is_cut = value[:MAX_SHOWN_CHARACTERS], len(value) > MAX_SHOWN_CHARACTERS
        return json.dumps(value) + ("..." if is_cut else "")
    written = json.dumps(value)
    return written if len(written) <= MAX_SHOWN_CHARACTERS else f"{written[:MAX_SHOWN_CHARACTERS]}..."
