"""The store against a plain model: whatever is done, in whatever order, with reopening as a step."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jwpingd.spool import Batch, Checkpoint, Entry, Spool
from tests.spool_values import SMALL, bytes_in, checkpoint, entry, is_balanced, opened, view

PLAYS = ("play00000001", "play00000002")


class StoreAndModel(RuleBasedStateMachine):
    """A store of the least size, and what must be in it."""

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.spool: Spool = opened(self.directory)
        self.rows: dict[int, Entry] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.aside: set[int] = set()
        self.n_accepted = self.n_delivered = 0
        self.next_id = 1
        self.known_offset_ms: int | None = None

    @rule(
        kinds=st.lists(st.sampled_from(["e", "s", "t", "t", "gab"]), max_size=6),
        play=st.sampled_from(PLAYS),
        is_timed=st.booleans(),
        n_delivered=st.integers(0, 3),
        n_aside=st.integers(0, 1),
        is_doubled=st.booleans(),
    )
    def commit(
        self, kinds: list[str], play: str, is_timed: bool, n_delivered: int, n_aside: int, is_doubled: bool
    ) -> None:
        """One batch of everything; perhaps applied a second time, as after a commit whose answer was lost."""
        sa_ms = 0 if is_timed else None
        puts = tuple(
            entry(self.next_id + idx, play=play, kind=kind, sa_ms=sa_ms) for idx, kind in enumerate(kinds)
        )
        self.next_id += len(puts)
        waiting = sorted(self.rows)
        delivered, aside = waiting[:n_delivered], waiting[n_delivered : n_delivered + n_aside]
        batch = Batch(
            self.spool.last_batch + 1,
            puts=puts,
            checkpoints=(checkpoint(play, watched_s=len(puts)),),
            delivered=tuple(delivered),
            set_aside=tuple((entry_id, "404") for entry_id in aside),
        )
        for _ in range(1 + is_doubled):
            self.spool.commit(batch)
        self.rows |= {each.id: each for each in puts}
        for entry_id in (*delivered, *aside):
            del self.rows[entry_id]
        self.aside |= set(aside)
        self.checkpoints[play] = batch.checkpoints[0]
        self.n_accepted += len(puts)
        self.n_delivered += len(delivered)

    @rule(play=st.sampled_from(PLAYS))
    def end_play(self, play: str) -> None:
        self.spool.commit(Batch(self.spool.last_batch + 1, ended=(play,)))
        self.checkpoints.pop(play, None)

    @rule(offset_ms=st.integers(10**12, 2 * 10**12), is_guess=st.booleans())
    def give_times(self, offset_ms: int, is_guess: bool) -> None:
        (self.spool.guess_times if is_guess else self.spool.fix_times)("boot-1", offset_ms)
        if is_guess and self.known_offset_ms is not None:
            # What was once known of a boot's clock is better than any guess.
            offset_ms, is_guess = self.known_offset_ms, False
        elif not is_guess and (self.known_offset_ms is None or abs(self.known_offset_ms - offset_ms) >= 1000):
            self.known_offset_ms = offset_ms
        for entry_id, each in self.rows.items():
            if each.sa_ms is None:
                self.rows[entry_id] = each._replace(sa_ms=each.boot_ms + offset_ms, is_guessed=is_guess)

    @rule(is_closed_first=st.booleans())
    def reopen(self, is_closed_first: bool) -> None:
        """With and without a close in good order."""
        if is_closed_first:
            self.spool.close()
        else:
            self.spool._abandon()
        self.spool = opened(self.directory)
        assert self.spool.repairs == []

    @rule(limit=st.integers(0, 5))
    def read_oldest(self, limit: int) -> None:
        """The oldest that have a time, in order."""
        timed = [each for _, each in sorted(self.rows.items()) if each.sa_ms is not None]
        assert self.spool.oldest(limit, except_ids=()) == timed[:limit]

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        found = view(self.spool)
        assert list(found.rows) == [each for _, each in sorted(self.rows.items())]
        assert {each.play for each in found.checkpoints} == set(self.checkpoints)
        assert {letter for letter, _ in found.letters} == self.aside
        account = self.spool.account()
        assert is_balanced(account)
        assert (account.accepted, account.delivered) == (self.n_accepted, self.n_delivered)
        assert bytes_in(self.directory) <= SMALL.max_bytes

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.directory)


TestStoreAndModel = StoreAndModel.TestCase
TestStoreAndModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
