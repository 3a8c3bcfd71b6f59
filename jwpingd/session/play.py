"""One item from `playlistItem` to `gab`.

The laws (§5): at most one `s`; exactly one `gab` after an `s` once the play is over; Σ ti ≤ credited
seconds < Σ ti + 1; `pw` of a `t` is a multiple of 128 / q.  All times are whole milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jwpingd import events
from jwpingd.moment import Moment
from jwpingd.ping import Ping, Progress
from jwpingd.session.live import REPORT_MS, Live
from jwpingd.session.ordinary import Ordinary
from jwpingd.session.quantiles import WHOLE_128THS

_SETTLING_MS = 1_000  # seeks within 1 s of each other count as one
_STUCK_SEEK_MS = 5_000  # a `seeked` that has not come by then never will
_LIVE_128THS = -1


@dataclass(slots=True)
class Play:
    """One play.  `meter` is None until `s` was sent; then it is how this play is watched.

    `seek_ms` is when the last seek began, None unless one is under way; `vs_due_ms` when the `vs` of the
    last one falls due.  `reported_128ths` is the `pw` that was reported last.
    """

    embed_id: str
    play_id: str
    item_number: int
    item: events.PlaylistItem
    rate: float = 1.0
    credit_ms: int = 0
    reported_128ths: int = 0
    seek_ms: int | None = None
    vs_due_ms: int | None = None
    is_paused: bool = False
    is_over: bool = False
    meter: Ordinary | Live | None = None
    pings: list[Ping] = field(default_factory=list)

    # --- what the player says -----------------------------------------------------------------

    def time(self, tick: events.Time, moment: Moment) -> None:
        """Rules 2 to 5, and 7 for a seek that never ended."""
        is_stuck = self.seek_ms is not None
        if self.seek_ms is not None:
            if moment.boot_ms - self.seek_ms < _STUCK_SEEK_MS:
                return
            self.seek_ms = None
            self._send_vs(moment)
        if self.meter is None:
            self._start(tick, moment)
            return
        if isinstance(self.meter, Ordinary):
            self._take_ordinary_tick(self.meter, tick, moment)
        else:
            self._take_live_tick(self.meter, tick, moment, is_stuck)

    def seek(self, seek: events.Seek, moment: Moment) -> None:
        """Rule 6.  A `vs` that waited is dropped: the end of this seek makes the next."""
        if isinstance(self.meter, Ordinary):
            self.meter.seek(seek.offset_ms)
        elif isinstance(self.meter, Live) and self.seek_ms is None:
            self.credit_ms += self.meter.seek(moment.boot_ms)
        self.seek_ms = moment.boot_ms
        self.vs_due_ms = None

    def seeked(self, moment: Moment) -> None:
        """Rule 7."""
        self.seek_ms = None
        self.vs_due_ms = moment.boot_ms + _SETTLING_MS
        if self.meter is not None:
            self.meter.seeked(moment.boot_ms)

    def pause(self, moment: Moment) -> None:
        """Rule 5.  An ordinary play needs no pause: no progress, no credit."""
        self.is_paused = True
        if isinstance(self.meter, Live):
            if self.seek_ms is None:
                self.credit_ms += self.meter.pause(moment.boot_ms)
            self.meter.is_paused = True

    def resume(self, moment: Moment) -> None:
        """`play`: rules 4 and 5."""
        self.is_paused = False
        if self.meter is not None:
            self.meter.resume(moment.boot_ms)

    def complete(self, moment: Moment) -> None:
        """Rule 8."""
        if isinstance(self.meter, Ordinary):
            if self.meter.n_passed < self.meter.n_quantiles:
                self.reported_128ths = WHOLE_128THS
                self._send_t(moment)
            self.meter.position_ms = self.meter.duration_ms
        self.end(moment)

    def end(self, moment: Moment) -> None:
        """Rule 9: the play is over, whatever ended it."""
        if self.is_over:
            return
        if self.meter is not None:
            self._send("gab", moment, self._progress(self._final_128ths(), self._take_credit_s()))
        self.is_over = True
        self.vs_due_ms = self.seek_ms = None

    def announce(self, kind: str, moment: Moment) -> None:
        """The pings that say nothing of progress: `e` (rule 1) and `i` (rule 10)."""
        self._send(kind, moment, None)

    def settle(self, moment: Moment) -> None:
        """The `vs` that waited for the seeks to settle falls due (rule 7)."""
        self.vs_due_ms = None
        self._send_vs(moment)

    def final_ping(self, moment: Moment) -> Ping | None:
        """The `gab` as it would be if nothing more were heard of the play; None where none is due."""
        if self.meter is None or self.is_over:
            return None
        return self._ping("gab", moment, self._progress(self._final_128ths(), self.credit_ms // 1000))

    # --- how the rules do it ------------------------------------------------------------------

    def _start(self, tick: events.Time, moment: Moment) -> None:
        duration_ms = self.item.duration_ms or tick.duration_ms
        if self.item.is_live or (duration_ms is None and self.item.is_live is None):
            self.meter = Live(moment.boot_ms, tick.position_ms, self.is_paused)
            self.reported_128ths = _LIVE_128THS
        elif duration_ms is None:
            return  # Announced as not live: `s` waits for a tick that has a duration (rule 2).
        else:
            self.meter = Ordinary.started(duration_ms, tick.position_ms, moment.boot_ms)
        self._send("s", moment, self._progress(self.reported_128ths, 0))

    def _take_ordinary_tick(self, meter: Ordinary, tick: events.Time, moment: Moment) -> None:
        """Rule 4.  Only progress that counts can report a threshold, also one that waited for a `vs`."""
        credited_ms = meter.tick(tick.position_ms, self.rate, moment.boot_ms)
        self.credit_ms += credited_ms
        if not credited_ms or self.vs_due_ms is not None:
            return
        reached_128ths = meter.pass_thresholds()
        if reached_128ths is not None:
            self.reported_128ths = reached_128ths
            self._send_t(moment)

    def _take_live_tick(self, meter: Live, tick: events.Time, moment: Moment, is_stuck: bool) -> None:
        """Rule 5, and rule 3 for a duration that comes late."""
        if is_stuck:
            meter.seeked(moment.boot_ms)
        self.credit_ms += meter.tick(tick.position_ms, moment.boot_ms)
        if tick.duration_ms is not None and not self.item.is_live:
            self.meter = Ordinary.started(tick.duration_ms, tick.position_ms, moment.boot_ms)
            self.reported_128ths = 0
        elif self.credit_ms >= REPORT_MS and self.vs_due_ms is None:
            self._send_t(moment)

    def _final_128ths(self) -> int:
        return self.meter.position_128ths if isinstance(self.meter, Ordinary) else _LIVE_128THS

    def _take_credit_s(self) -> int:
        whole_s, self.credit_ms = divmod(self.credit_ms, 1000)
        return whole_s

    def _progress(self, position_128ths: int, watched_s: int) -> Progress:
        if isinstance(self.meter, Ordinary):
            duration_s = self.meter.duration_ms // 1000
            return Progress(duration_s, self.meter.n_quantiles, position_128ths, watched_s)
        return Progress(0, 0, position_128ths, watched_s)

    def _send_t(self, moment: Moment) -> None:
        self._send("t", moment, self._progress(self.reported_128ths, self._take_credit_s()))

    def _send_vs(self, moment: Moment) -> None:
        # Before `s` there is no progress to tell.
        self._send("vs", moment, None if self.meter is None else self._progress(self.reported_128ths, 0))

    def _send(self, kind: str, moment: Moment, progress: Progress | None) -> None:
        self.pings.append(self._ping(kind, moment, progress))

    def _ping(self, kind: str, moment: Moment, progress: Progress | None) -> Ping:
        return Ping(
            kind,
            moment,
            self.embed_id,
            self.play_id,
            self.item_number,
            self.item.media_id,
            self.item.title,
            self.item.feed_id,
            progress,
        )
