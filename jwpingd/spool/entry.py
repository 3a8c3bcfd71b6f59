"""What goes into the spool and comes out of it: values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from jwpingd.moment import Moment

FOLDABLE_KIND = "t"
"""The one kind whose neighbours of a play may become one without losing anything but a waypoint."""


class Entry(NamedTuple):
    """One ping that waits.  All that the spool knows of it.

    `id` is given by the writer, ascending, and is unique for ever in a store.  `target` carries no
    time stamp.  `sa_ms` (Unix time) is fixed once, before the first try; it is None while the wall
    clock is unknown.  `is_guessed`: it rests on a clock that nobody vouched for.
    """

    id: int
    play: str
    kind: str
    watched_s: int
    target: str
    boot_id: str
    boot_ms: int
    sa_ms: int | None
    is_guessed: bool = False

    @property
    def moment(self) -> Moment:
        """When the ping's event happened."""
        return Moment(self.boot_id, self.boot_ms, self.sa_ms)


class Checkpoint(NamedTuple):
    """What survives of a running play.

    `will` is the gab that is sent if the play is never heard of again (its id is 0), None before `s`
    was sent.  `state` is text for resumption that nobody here reads; "" if it cannot be resumed.
    """

    play: str
    will: Entry | None
    state: str


class Purge(NamedTuple):
    """What may no longer be told by pings that wait: they are dropped, or sent with less in them.

    `revise` makes of a target what may still be told of it: the same, a shorter one, None for nothing.
    Entries up to `tried_to` may have been tried.  Nothing of what was purged is left in any file;
    `is_of_box` has the set-aside stores of other versions go as well, which nobody can look through.
    """

    revise: Callable[[str], str | None]
    reason: str
    tried_to: int = 0
    is_of_box: bool = False

    def revised(self, entry: Entry) -> Entry | None:
        """What is left of an entry; None where it has to go.

        One that may have been tried is never changed: the collector may have it, and would have two.
        """
        target = self.revise(entry.target)
        if target == entry.target:
            return entry
        if target is None or entry.id <= self.tried_to:
            return None
        return entry._replace(target=target)


class Batch(NamedTuple):
    """One transaction.

    `number` ascends; the store remembers the last one applied, so that a batch whose commit failed
    but reached the disk all the same is not applied twice.  `ended` plays lose their checkpoint
    (before `checkpoints` are written).  `purges` are for what earlier batches brought.  `set_aside`
    holds (id, reason).  Every entry with an id up to `tried_to` may have been tried (0: no change).
    Entries in `claimed` are in the uplink's hands: neither folded nor dropped.  `n_more_counts` are
    deltas of counters that the spool does not make itself.  `wall_ms`, if known, dates what is set aside.
    """

    number: int
    puts: tuple[Entry, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    ended: tuple[str, ...] = ()
    purges: tuple[Purge, ...] = ()
    delivered: tuple[int, ...] = ()
    set_aside: tuple[tuple[int, str], ...] = ()
    tried_to: int = 0
    claimed: frozenset[int] = frozenset()
    n_more_counts: Mapping[str, int] = MappingProxyType({})
    wall_ms: int | None = None

    @property
    def may_be_repeated(self) -> bool:
        """Whether its number need not be remembered: it changes no counter, and nothing the second time."""
        counted = (self.puts, self.purges, self.delivered, self.set_aside, self.tried_to, self.n_more_counts)
        return not any(counted)


Changed = TypeVar("Changed", Entry, Batch)


def changed(value: Changed, **changes: Any) -> Changed:
    """`value` with other values in some fields: `_replace` for what happens all day.

    Each `_replace` leaves a tuple in CPython's free lists, which keep 2,000 of every length: half a
    megabyte for entries and batches.
    """
    return type(value)(**(value._asdict() | changes))


class SetAside(NamedTuple):
    """A ping that will not be sent unless somebody asks for it: why, and since when (Unix ms, if known).

    `can_requeue` is False for a row that failed its check; its other fields are then not to be trusted.
    """

    entry: Entry
    reason: str
    wall_ms: int | None
    can_requeue: bool
