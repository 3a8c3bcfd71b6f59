"""What an answer means for a ping, and how long to wait before the next try.  Pure.

No clock and no randomness here: moments and random fractions are arguments.
"""

from __future__ import annotations

import re
from typing import NamedTuple

DRAIN_SHARE, DRAIN_MAX_S, DRAIN_MIN_PER_S = 0.25, 900.0, 0.2  # by simulation: docs/reliability.md, "fleet"
_PAGE = "text/html"
RETRY_AFTER_MAX_S = 3600.0  # One hour: longer and a forged or mistaken answer would silence a box for days.


class Answer(NamedTuple):
    """What of an HTTP answer decides about a ping: the status and three header fields as received."""

    status: int
    content_type: str | None = None
    retry_after: str | None = None
    date: str | None = None


class Delivered(NamedTuple):
    """The collector has the ping."""


class Retry(NamedTuple):
    """The ping must be tried again, not before `retry_after_s` seconds where the collector said so."""

    reason: str
    retry_after_s: float | None = None

    @property
    def words(self) -> str:
        """For people: the reason, and what it points at where that is not the collector."""
        is_portal = self.reason == _PAGE or self.reason.startswith("HTTP 3")
        return f"{self.reason}: perhaps the network wants a login" if is_portal else self.reason


class SetAside(NamedTuple):
    """The collector refuses this very ping; trying again would change nothing."""

    reason: str


Verdict = Delivered | Retry | SetAside


def judge(answer: Answer, now_wall_s: float | None) -> Verdict:
    """The verdict on a ping that was answered so.

    `now_wall_s` is Unix time, or None while the clock is not trusted; it is only asked when the
    answer names a date to wait for and carries no `Date` of its own.
    """
    if 200 <= answer.status < 300:
        # A captive portal answers everything with a page of its own; the collector sends a GIF.
        return Retry(_PAGE) if _is_html(answer.content_type) else Delivered()
    reason = f"HTTP {answer.status}"
    if 400 <= answer.status < 500 and answer.status not in _RETRYABLE_4XX:
        return SetAside(reason)
    return Retry(reason, _retry_after_s(answer, now_wall_s))


def backoff_s(n_failures: int, first_s: float, max_s: float, fraction: float) -> float:
    """Seconds to wait after `n_failures` failures in a row: full jitter below a doubling ceiling.

    `fraction` is a random number in [0, 1).  No failure, no wait.
    """
    if n_failures <= 0:
        return 0.0
    n_doublings = min(n_failures - 1, _DOUBLINGS_MAX)
    return fraction * min(max_s, first_s * 2.0**n_doublings)  # 1, 2, 4, 8, 16, 32, 64, 128, 256, 300 s


def drain_per_s(n_waiting: int, failing_s: float, max_per_s: float) -> float:
    """How many of `n_waiting` pings may leave a second once the collector is back after `failing_s` seconds.

    A million boxes that were kept waiting together come back together: so they take a quarter of the
    time again, a quarter of an hour at most, but for a few pings nobody waits long.  `max_per_s` holds
    in any case; 0 is no limit.
    """
    if not max_per_s:
        return 0.0
    spread_s = min(failing_s * DRAIN_SHARE, DRAIN_MAX_S)
    return min(max_per_s, max(n_waiting / max(spread_s, 1.0), DRAIN_MIN_PER_S))


def http_date_s(text: str) -> float | None:
    """Unix time of an HTTP date in any of its three forms (RFC 9110 §5.6.7); None for anything else."""
    # Late, because a box that is never told to wait until a date never needs the mail parser (240 KiB).
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        # HTTP dates are in GMT even where the form has no room to say so.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


# 408 Request Timeout, 425 Too Early, 429 Too Many Requests: the moment was wrong, not the ping.
_RETRYABLE_4XX = frozenset({408, 425, 429})
_DOUBLINGS_MAX = 60  # 2^60 s exceeds any limit; a million doublings would exceed a float.
_DELAY_SECONDS = r"(-?)0*([0-9]+)"


def _is_html(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == _PAGE


def _retry_after_s(answer: Answer, now_wall_s: float | None) -> float | None:
    """Seconds from `Retry-After`, 0 … one hour; None where there is none that makes sense."""
    text = (answer.retry_after or "").strip()
    seconds = re.fullmatch(_DELAY_SECONDS, text)
    if seconds is None:
        return _seconds_until(text, answer.date, now_wall_s)
    sign, digits = seconds.groups()
    if sign:
        return 0.0
    return RETRY_AFTER_MAX_S if len(digits) > len("3600") else min(float(digits), RETRY_AFTER_MAX_S)


def _seconds_until(text: str, date: str | None, now_wall_s: float | None) -> float | None:
    """Seconds until the HTTP date `text`.  The answer's own clock counts first: the box's may be wrong."""
    until_s = http_date_s(text) if text else None
    sent_s = http_date_s(date) if date else None
    now_s = now_wall_s if sent_s is None else sent_s
    if until_s is None or now_s is None:
        return None
    return min(max(until_s - now_s, 0.0), RETRY_AFTER_MAX_S)
