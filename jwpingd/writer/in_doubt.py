"""The batch that is on its way to flash.  No loop, no thread.

Until its commit returns nobody knows whether it is there.  One that flash refused may be there all the
same, so it is tried again as it is, under the same number, and nothing is added to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from jwpingd.spool import Batch, Entry, Purge, changed
from jwpingd.writer.waiting import revised


class InDoubt:
    """That batch, if there is one.  `ticket` is of the newest submission that is, or was, in one."""

    def __init__(self) -> None:
        self._batch: Batch | None = None
        self.ticket = 0

    def __bool__(self) -> bool:
        return self._batch is not None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Its pings."""
        return self._batch.puts if self._batch else ()

    @property
    def counts(self) -> Mapping[str, int]:
        """The deltas of counters that go with it, of those that the spool does not make itself."""
        return self._batch.n_more_counts if self._batch else MappingProxyType({})

    def begin(self, batch: Batch, ticket: int) -> None:
        """Another batch is on its way; `ticket` 0: no submission is in it."""
        self._batch = batch
        self.ticket = ticket or self.ticket

    def numbered(self, last_batch: int) -> Batch:
        """The batch with its number, given at the first try and kept, so that no batch counts twice."""
        assert self._batch is not None
        if not self._batch.number:
            self._batch = changed(self._batch, number=last_batch + 1)
        return self._batch

    def revise(self, purge: Purge) -> None:
        """Let go of what `purge` forbids, if the batch has to be tried again.

        It may have reached flash all the same: then this is skipped, and its rows are purged there.
        """
        if self._batch is None:
            return
        puts, counts = revised(self._batch.puts, purge)
        for name, n in self._batch.n_more_counts.items():
            counts[name] = counts.get(name, 0) + n
        self._batch = self._batch._replace(puts=tuple(puts), n_more_counts=counts)

    def end(self) -> None:
        """It is on flash."""
        self._batch = None
