"""Oldest entry → GET → verdict → settled, or waiting for its next try.

`Link` says when a try may start and `Lanes` which entry it is for; this module does what they say.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from math import inf
from types import MappingProxyType

import trio

from jwpingd.retry import Answer, Delivered, Retry, SetAside, backoff_s, drain_per_s, http_date_s, judge
from jwpingd.spool import Entry
from jwpingd.uplink.connections import Connections, MakeTransport
from jwpingd.uplink.failure import Failure, FailureKind
from jwpingd.uplink.lanes import Claim, Held, Lanes
from jwpingd.uplink.link import Change, Link, Try
from jwpingd.uplink.ports import Clock, CollectorTime, Options, Outcome, Queue, UplinkStatus
from jwpingd.uplink.tally import Tally
from jwpingd.uplink.waiting import Bell, Watch
from jwpingd.writer import RunBlocking

IDLE_CLOSE_S = 60.0  # After a minute without a ping nobody is watching; sockets and TLS state are let go.

_log = logging.getLogger("jwpingd.uplink")


class Uplink:
    """Delivers what is in the queue.  `run` does the work; all else may be called from the same loop.

    `stamp` makes the target that is sent from an entry's target and its `sa` in ms.
    `hold_backlog_until_s` (boottime) delays what is waiting when `run` begins, not what comes later.
    `wall_s` is the trusted wall clock, or None.  `on_change` is told when the link goes down or comes up.
    While `may_send` says no, no try begins.  `on_out_of_time`: by the box's clock, which may be wrong, the
    collector's certificate is not valid.
    `fraction` gives random numbers in [0, 1).
    """

    def __init__(
        self,
        queue: Queue,
        clock: Clock,
        options: Options,
        *,
        stamp: Callable[[str, int], str],
        run_blocking: RunBlocking,
        hold_backlog_until_s: float = -inf,
        wall_s: Callable[[], float | None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
        may_send: Callable[[], bool] = lambda: True,
        on_out_of_time: Callable[[], None] = lambda: None,
        fraction: Callable[[], float] = random.random,
        make_transport: MakeTransport | None = None,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._options = options
        self._stamp = stamp
        self._wall_s = wall_s
        self._on_change = on_change
        self._may_send = may_send
        self._on_out_of_time = on_out_of_time
        self._fraction = fraction
        self._connections = Connections(options, run_blocking, make_transport)
        self._link = Link(first_s=options.retry_first_s, max_s=options.retry_max_s)
        self._lanes = Lanes(
            queue.last_id(),
            max_per_s=options.max_per_s,
            rest_s=options.retry_max_s,
            hold_backlog_until_s=hold_backlog_until_s,
        )
        self._in_flight: dict[int, trio.CancelScope] = {}
        self._tally = Tally()
        self._bell = Bell(clock)
        self._watch = Watch(queue)
        self._wake_s = inf
        self._busy_s = -inf
        self.n_rounds = 0

    async def run(self) -> None:
        """Deliver until cancelled.  What is in hand then goes back to the queue."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch.run, self._more)
                while True:
                    self.n_rounds += 1
                    await self._start_what_may_start(nursery)
                    await self._connections.close_retired()
                    await self._sleep()
        finally:
            self._queue.release(self._lanes.ids())
            await self._connections.close()

    def nudge(self) -> None:
        """Make `run` go round once, which `n_rounds` shows; for a watchdog."""
        self._bell.ring()

    def network_changed(self) -> None:
        """The network changed or the box woke up: try again within 5 s, over new connections."""
        latest_s = self._link.network_changed(self._clock.boot_s(), self._fraction())
        self._lanes.hurry(latest_s)
        self._connections.retire()
        self._bell.ring()

    def withdraw(self, is_purged: Callable[[Entry], bool]) -> None:
        """These entries are being purged from the queue: do not send them, where that is still possible."""
        for held in self._lanes.held():
            if not is_purged(held.entry):
                continue
            if held.entry.id in self._in_flight:
                self._in_flight[held.entry.id].cancel()
            else:
                self._give_back(held)

    async def time_of_collector(self) -> CollectorTime:
        """The collector's `Date`, and whether verified TLS to it works.

        Asks for nothing while a `Retry-After` holds the link, nor where there is no TLS.
        """
        is_held = self._link.held_until_s > self._clock.boot_s()
        if is_held or not self._options.collector_url.startswith("https://"):
            return CollectorTime(Outcome.NO_ANSWER)
        result = await self._connections.ask("HEAD", "/")
        self._busy_s = self._clock.boot_s()
        self._bell.ring()
        if isinstance(result, Failure):
            self._tally.ended_with(result.text, is_certificate_error=result.is_certificate_error)
        # By a wrong clock no certificate is valid: that says nothing of the way to the collector.
        if self._link.asked(is_answered=isinstance(result, Answer) or result.is_out_of_time):
            self._tell_of_silence()
        if isinstance(result, Failure):
            return CollectorTime(Outcome.OUT_OF_TIME if result.is_out_of_time else Outcome.NO_ANSWER)
        return CollectorTime(Outcome.ANSWERED, http_date_s(result.date) if result.date else None)

    def look_again(self) -> None:
        """`may_send` may say something else now."""
        self._bell.ring()

    def status(self) -> UplinkStatus:
        """How it stands."""
        tally = self._tally
        return UplinkStatus(
            is_online=self._link.is_online,
            n_failures=self._link.n_failures,
            last_success_boot_ms=_ms(tally.last_success_s),
            last_error=tally.last_error,
            is_certificate_error=tally.is_certificate_error,
            next_try_boot_ms=_ms(self._wake_s),
            n_in_flight=len(self._in_flight),
            n_delivered=tally.n_delivered,
            n_set_aside=tally.n_set_aside,
            retries=MappingProxyType(dict(tally.retries)),
        )

    # --- starting -----------------------------------------------------------------------------

    async def _start_what_may_start(self, nursery: trio.Nursery) -> None:
        """Start tries, in order, until nothing more may start now."""
        while self._has_room():
            now_s = self._clock.boot_s()
            if self._link.start_at() > now_s:
                return
            todo = self._next(now_s)
            if todo is None:
                return
            if isinstance(todo, Claim):
                await self._claim(todo)
            else:
                scope = self._in_flight[todo.entry.id] = trio.CancelScope()
                nursery.start_soon(self._deliver, todo, self._link.start(), scope)
                await trio.lowlevel.checkpoint()  # Tasks of one tick start in any order; tries must not.

    def _next(self, now_s: float) -> Held | Claim | None:
        if self._link.is_up:
            return self._lanes.alternating(now_s)
        if self._link.is_reachable:
            return self._lanes.alternating(now_s, limit=1)
        return self._lanes.oldest(now_s)

    async def _claim(self, claim: Claim) -> None:
        entries = await self._queue.claim(claim.limit, after_id=claim.after_id, to_id=claim.to_id)
        self._lanes.claimed(claim, entries, self._queue.last_id())
        if len(entries) < claim.limit:
            self._watch.start()

    def _more(self) -> None:
        self._lanes.more()
        self._bell.ring()

    async def _sleep(self) -> None:
        """Until a try may start, the bell rings, or idle connections are due to be closed."""
        self._wake_s = max(self._lanes.wake_at(), self._link.start_at()) if self._has_room() else inf
        close_s = inf
        if self._connections.n_open and not self._in_flight:
            close_s = self._busy_s + IDLE_CLOSE_S
        await self._bell.wait(min(self._wake_s, close_s))
        if close_s <= self._clock.boot_s() and not self._in_flight:
            await self._connections.close()

    def _has_room(self) -> bool:
        """Whether another try may be under way."""
        return len(self._in_flight) < self._options.concurrency and self._may_send()

    # --- one try ------------------------------------------------------------------------------

    async def _deliver(self, held: Held, a_try: Try, scope: trio.CancelScope) -> None:
        result: Answer | Failure | None = None
        with scope:
            result = await self._ask(held)
        del self._in_flight[held.entry.id]
        self._busy_s = self._clock.boot_s()
        if result is None:
            self._link.abandoned(a_try)
            self._give_back(held)
        elif isinstance(result, Answer):
            self._settle(held, a_try, result)
        else:
            self._fail(held, a_try, result)
        self._bell.ring()

    async def _ask(self, held: Held) -> Answer | Failure:
        if held.entry.sa_ms is None:
            return Failure(FailureKind.UNSENDABLE, "unsendable", "the time of the event is not known")
        return await self._connections.ask("GET", self._stamp(held.entry.target, held.entry.sa_ms))

    def _settle(self, held: Held, a_try: Try, answer: Answer) -> None:
        verdict = judge(answer, self._wall_s())
        match verdict:
            case Delivered():
                self._lanes.remove(held)
                self._queue.delivered(held.entry.id)
                self._tally.delivered(self._busy_s)
                self._tell(self._link.answered(a_try))
            case SetAside():
                self._set_aside(held, verdict.reason)
                self._tell(self._link.answered(a_try))
            case Retry():
                self._refused(held, a_try, verdict, verdict.words)

    def _fail(self, held: Held, a_try: Try, failure: Failure) -> None:
        match failure.kind:
            case FailureKind.UNSENDABLE:
                self._link.abandoned(a_try)
                self._set_aside(held, failure.text)
            case FailureKind.NOT_TAKEN:
                self._refused(held, a_try, Retry(failure.reason), failure.text)
            case FailureKind.UNREACHABLE:
                self._tally.retried(
                    failure.reason, failure.text, is_certificate_error=failure.is_certificate_error
                )
                change = self._link.unreachable(a_try, self._busy_s, self._fraction())
                self._give_back(held)
                self._after_failure(change)
                if failure.is_out_of_time:
                    self._on_out_of_time()

    def _refused(self, held: Held, a_try: Try, retry: Retry, text: str) -> None:
        """The entry waits on its own backoff; whether the link waits too is for the link to say."""
        options = self._options
        self._tally.retried(retry.reason, text)
        change = self._link.refused(
            a_try,
            self._busy_s,
            self._fraction(),
            n_refusals_before=held.n_refusals,
            retry_after_s=retry.retry_after_s,
        )
        wait_s = backoff_s(held.n_refusals + 1, options.retry_first_s, options.retry_max_s, self._fraction())
        if not self._lanes.park(held, self._busy_s + wait_s):
            self._queue.release([held.entry.id])
        self._after_failure(change)

    def _after_failure(self, change: Change) -> None:
        if not self._link.is_up:
            # Nobody may take it for granted now that a new entry is tried at once.
            self._watch.stop()
            self._queue.release(self._lanes.drop_fresh())
        self._tell(change)

    def _set_aside(self, held: Held, reason: str) -> None:
        self._lanes.remove(held)
        self._queue.set_aside(held.entry.id, reason)
        if self._tally.set_aside(reason):
            _log.warning("ping set aside: %s; further ones are only counted", reason)

    def _give_back(self, held: Held) -> None:
        self._lanes.remove(held)
        self._lanes.more()
        self._queue.release([held.entry.id])

    def _tell_of_silence(self) -> None:
        """While no ping may be sent, questions for the time alone show whether the collector answers."""
        if self._link.is_online:
            self._tally.ended_with("")
            _log.warning("the collector answers again")
        else:
            _log.warning("the collector does not answer: %s; keeping pings", self._tally.last_error)
        self._on_change()

    def _tell(self, change: Change) -> None:
        if change is Change.WENT_DOWN:
            _log.warning(
                "link to the collector is down: %s; keeping pings and trying again", self._tally.last_error
            )
        elif change is Change.CAME_UP:
            failing_s = self._busy_s - self._link.failing_since_s
            per_s = drain_per_s(self._queue.n_waiting(), failing_s, self._options.max_per_s)
            self._lanes.link_came_up(self._queue.last_id(), per_s)
            _log.warning("link to the collector is up again; delivering what waits")
        if change is not Change.NONE:
            self._on_change()


def _ms(moment_s: float) -> int | None:
    """Milliseconds since boot; None where there is no such moment."""
    return None if moment_s in (inf, -inf) else round(moment_s * 1000)
