"""retry: what an answer means, and how long to wait."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.retry import (
    RETRY_AFTER_MAX_S,
    Answer,
    Delivered,
    Retry,
    SetAside,
    Verdict,
    backoff_s,
    http_date_s,
    judge,
)
from tests.socket_lines import of_kind

NOON_S = 784_123_200.0
NOON = "Sun, 06 Nov 1994 12:00:00 GMT"
ONE_PAST_NOON = "Sun, 06 Nov 1994 12:01:00 GMT"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Delivered()),
        (204, Delivered()),
        (299, Delivered()),
        (100, Retry("HTTP 100")),
        (301, Retry("HTTP 301")),
        (304, Retry("HTTP 304")),
        (307, Retry("HTTP 307")),
        (400, SetAside("HTTP 400")),
        (401, SetAside("HTTP 401")),
        (404, SetAside("HTTP 404")),
        (408, Retry("HTTP 408")),
        (410, SetAside("HTTP 410")),
        (414, SetAside("HTTP 414")),
        (425, Retry("HTTP 425")),
        (429, Retry("HTTP 429")),
        (431, SetAside("HTTP 431")),
        (499, SetAside("HTTP 499")),
        (500, Retry("HTTP 500")),
        (501, Retry("HTTP 501")),
        (503, Retry("HTTP 503")),
        (599, Retry("HTTP 599")),
        (999, Retry("HTTP 999")),
    ],
)
def test_the_status_decides(status: int, verdict: Verdict) -> None:
    """2xx is delivered; 408, 425, 429 and all that is not 4xx is tried again; other 4xx are set aside."""
    assert of_kind(judge(Answer(status), None)) == of_kind(verdict)


@pytest.mark.parametrize(
    ("content_type", "verdict"),
    [
        (None, Delivered()),
        ("", Delivered()),
        ("image/gif", Delivered()),
        ("text/plain", Delivered()),
        ("text/htmlx", Delivered()),
        ("text/html", Retry("text/html")),
        ("Text/HTML; charset=utf-8", Retry("text/html")),
        (" text/html ;x", Retry("text/html")),
    ],
)
def test_a_page_is_no_delivery(content_type: str | None, verdict: Verdict) -> None:
    """A 2xx with an HTML page comes from a portal, not from the collector."""
    assert of_kind(judge(Answer(200, content_type=content_type), None)) == of_kind(verdict)


def test_a_page_does_not_save_a_refused_ping() -> None:
    """Error pages are HTML as a rule: the content type matters for 2xx only."""
    assert judge(Answer(404, content_type="text/html"), None) == SetAside("HTTP 404")


@pytest.mark.parametrize(
    ("header", "retry_after_s"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("1e3", None),
        ("+5", None),
        ("٣", None),
        ("--5", None),
        ("5 s", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("007", 7.0),
        ("-7", 0.0),
        ("3600", 3600.0),
        ("3601", RETRY_AFTER_MAX_S),
        ("315360000", RETRY_AFTER_MAX_S),  # ten years
        ("9" * 5000, RETRY_AFTER_MAX_S),
        ("0" * 5000 + "9", 9.0),
    ],
)
@pytest.mark.parametrize("status", [302, 408, 429, 500, 503])
def test_retry_after_in_seconds(status: int, header: str | None, retry_after_s: float | None) -> None:
    """Seconds are taken with every retryable status, from 0 to one hour; nonsense is as nothing."""
    assert judge(Answer(status, retry_after=header), NOON_S) == Retry(f"HTTP {status}", retry_after_s)


@pytest.mark.parametrize(
    ("until", "date", "now_wall_s", "retry_after_s"),
    [
        (ONE_PAST_NOON, NOON, None, 60.0),
        (ONE_PAST_NOON, NOON, 0.0, 60.0),
        (ONE_PAST_NOON, None, NOON_S, 60.0),
        (ONE_PAST_NOON, "nonsense", NOON_S, 60.0),
        (ONE_PAST_NOON, None, None, None),
        (NOON, ONE_PAST_NOON, None, 0.0),
        ("Tue, 08 Nov 1994 12:00:00 GMT", NOON, None, RETRY_AFTER_MAX_S),
        ("Sat, 06 Nov 2004 12:00:00 GMT", NOON, None, RETRY_AFTER_MAX_S),
        ("Sun, 06 Nov 1994 99:01:00 GMT", NOON, None, None),
    ],
)
def test_retry_after_as_a_date(
    until: str, date: str | None, now_wall_s: float | None, retry_after_s: float | None
) -> None:
    """A date counts from the answer's own clock, else from a trusted one, else not at all."""
    assert judge(Answer(503, retry_after=until, date=date), now_wall_s) == Retry("HTTP 503", retry_after_s)


@pytest.mark.parametrize(
    "text",
    [NOON, "Sunday, 06-Nov-94 12:00:00 GMT", "Sun Nov  6 12:00:00 1994", "Sun, 06 Nov 1994 12:00:00 -0000"],
)
def test_three_forms_of_a_date(text: str) -> None:
    """The three forms of RFC 9110 are one moment, whatever the box's time zone."""
    assert http_date_s(text) == NOON_S


@given(seconds=st.integers(0, 4_102_444_800))
@settings(deadline=None, max_examples=200)
def test_dates_are_read_back(seconds: int) -> None:
    """Every date a server can write is read exactly."""
    assert http_date_s(formatdate(seconds, usegmt=True)) == seconds


@given(
    status=st.integers(100, 999),
    texts=st.tuples(*[st.none() | st.text() | st.from_regex(r"-?[0-9]{1,8}", fullmatch=True)] * 3),
    now_wall_s=st.none() | st.floats(0, 1e10),
)
@settings(deadline=None, max_examples=150)
def test_any_answer_has_a_verdict(
    status: int, texts: tuple[str | None, str | None, str | None], now_wall_s: float | None
) -> None:
    """No header can raise, and no wait is negative or above the cap."""
    verdict = judge(Answer(status, *texts), now_wall_s)
    if isinstance(verdict, Retry) and verdict.retry_after_s is not None:
        assert 0 <= verdict.retry_after_s <= RETRY_AFTER_MAX_S


def test_the_ceiling_doubles_up_to_the_limit() -> None:
    """1 s → 300 s by factors of two."""
    ceilings = [backoff_s(n, 1.0, 300.0, 1.0) for n in range(12)]
    assert ceilings == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@given(
    n_failures=st.integers(0, 1_000_000),
    first_s=st.floats(0.001, 60),
    max_s=st.floats(0.001, 3600),
    fraction=st.floats(0, 1, exclude_max=True),
)
@settings(deadline=None, max_examples=300)
def test_a_wait_is_bounded(n_failures: int, first_s: float, max_s: float, fraction: float) -> None:
    """Full jitter: anything from 0 up to the ceiling and never beyond the limit, after a million failures."""
    wait_s = backoff_s(n_failures, first_s, max_s, fraction)
    assert 0 <= wait_s <= max_s
    assert wait_s == pytest.approx(fraction * backoff_s(n_failures, first_s, max_s, 1.0))
