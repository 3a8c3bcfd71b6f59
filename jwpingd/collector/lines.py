"""What the collector shows people: a line per ping, its violations below, and the report as a table."""

from __future__ import annotations

from datetime import datetime

from jwpingd.collector.intake import Collector, Received
from jwpingd.collector.seen import Seen
from jwpingd.collector.totals import Row
from jwpingd.plural import counted

_RED, _YELLOW, _DIM, _PLAIN = "\033[31m", "\033[33m", "\033[2m", "\033[0m"
_TITLE_WIDTH = 40  # characters; a title may have hundreds

HEADING = f"{'time':<12}  {'e':<3}  {'media':<8}  {'pw':>3}  {'ti':>4}  {'play':<6}  title"


def ping_lines(received: Received, *, is_coloured: bool) -> str:
    """The ping in one line under `HEADING`, violations below it.  The time is `sa`, in local time.

    Control characters never reach the terminal, whatever a title holds.
    """
    seen = Seen.of(received.parameters)
    line = (
        f"{_clock(seen.sa_ms):<12}  {_shown(seen.kind)[:3]:<3}  {_shown(seen.media_id)[:8]:<8}  "
        f"{_number(seen.position_128ths):>3}  {_number(seen.watched_s):>4}  "
        f"{_shown(seen.play_id)[:6]:<6}  {_shown(seen.title)[:_TITLE_WIDTH]}"
    ).rstrip()
    if received.is_duplicate:
        return _painted(f"{line}  (duplicate)", _DIM, is_coloured)
    below = [_painted(f"    ! {_shown(each)}", _RED, is_coloured) for each in received.violations]
    return "\n".join([line, *below])


def report_lines(collector: Collector, *, is_coloured: bool) -> str:
    """Totals per media id and of all, then what is wrong with plays as a whole."""
    checker, totals = collector.checker, collector.totals
    rows = [_row(_shown(media_id)[:8], row) for media_id, row in totals.media.items()]
    heading = f"{'media':<8}  {'setups':>6}  {'plays':>6}  {'viewers':>7}  {'ads':>5}  {'minutes':>8}  title"
    play_violations = checker.judge_plays()
    below = [_painted(f"! {_shown(each)}", _RED, is_coloured) for each in play_violations]
    n_violations = checker.n_violations + len(play_violations)
    counts = ", ".join(
        (
            counted(collector.n_pings, "ping"),
            counted(checker.n_duplicates, "duplicate"),
            counted(n_violations, "violation"),
            f"{counted(checker.n_open_plays(), 'play')} still open",
        )
    )
    colour = _YELLOW if n_violations else ""
    return "\n".join(
        [heading, *rows, _row("all", totals.total), *below, _painted(counts, colour, is_coloured)]
    )


def _row(name: str, row: Row) -> str:
    return (
        f"{name:<8}  {row.n_setups:>6}  {row.n_plays:>6}  {row.n_viewers:>7}  {row.n_ad_impressions:>5}  "
        f"{row.watched_s / 60:>8.2f}  {_shown(row.title)[:_TITLE_WIDTH]}"
    ).rstrip()


def _clock(sa_ms: int | None) -> str:
    if sa_ms is None:
        return "-"
    try:
        return datetime.fromtimestamp(sa_ms / 1000).strftime("%H:%M:%S.%f")[:12]
    except (OverflowError, OSError, ValueError):
        return "?"


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _painted(text: str, colour: str, is_coloured: bool) -> str:
    return f"{colour}{text}{_PLAIN}" if is_coloured and colour else text
