"""What was submitted and is not on flash yet.  No loop, no thread, no clock.

A submission is the smallest part of a transaction: its pings and what they mean for their play's
checkpoint stay together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from jwpingd.spool import Batch, Checkpoint, Entry, Purge

Fold = Callable[[str, str], str | None]


class Submission(NamedTuple):
    """Entries, checkpoints and ends of plays that reach flash together; `ticket` is its number.

    `purges` are for what was submitted before them.
    """

    ticket: int
    puts: list[Entry]
    checkpoints: Sequence[Checkpoint] = ()
    ended: Sequence[str] = ()
    purges: Sequence[Purge] = ()

    @property
    def n_bytes(self) -> int:
        """The texts of it."""
        wills = [checkpoint.will for checkpoint in self.checkpoints if checkpoint.will]
        texts = [entry.target for entry in (*self.puts, *wills)]
        return sum(map(len, texts)) + sum(len(checkpoint.state) for checkpoint in self.checkpoints)


class Waiting:
    """Submissions in order, and what became of entries meanwhile."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.submissions = deque[Submission]()
        self.delivered: list[int] = []
        self.set_aside: list[tuple[int, str]] = []
        self.tried_to = 0
        self.n_more_counts: dict[str, int] = {}

    @property
    def is_urgent(self) -> bool:
        """Whether it is more than deletes, which may wait a moment for company."""
        return bool(self.submissions or self.tried_to or self.n_more_counts)

    @property
    def n_resolved(self) -> int:
        """Entries whose rows can go."""
        return len(self.delivered) + len(self.set_aside)

    @property
    def n_entries(self) -> int:
        """Entries that are in no batch yet."""
        return sum(len(submission.puts) for submission in self.submissions)

    def entries(self) -> Iterator[Entry]:
        """The same, oldest first."""
        for submission in self.submissions:
            yield from submission.puts

    def take_batch(self, max_bytes: int) -> tuple[Batch, int]:
        """The oldest submissions as one transaction of `max_bytes` at most, and the last one's ticket (or 0).

        Everything else goes with it.  Its number, and what is claimed, are added when it is written.
        """
        taken = [self.submissions.popleft()] if self.submissions else []
        n_bytes = sum(submission.n_bytes for submission in taken)
        while self.submissions and n_bytes + self.submissions[0].n_bytes <= max_bytes:
            taken.append(self.submissions.popleft())
            n_bytes += taken[-1].n_bytes
        checkpoints, ended = _merged(taken)
        batch = Batch(
            number=0,
            puts=tuple(entry for submission in taken for entry in submission.puts),
            checkpoints=tuple(checkpoints.values()),
            ended=tuple(ended),
            purges=tuple(purge for submission in taken for purge in submission.purges),
            delivered=tuple(self.delivered),
            set_aside=tuple(self.set_aside),
            tried_to=self.tried_to,
            n_more_counts=dict(self.n_more_counts),
        )
        self.delivered, self.set_aside, self.tried_to, self.n_more_counts = [], [], 0, {}
        return batch, taken[-1].ticket if taken else 0

    def counts(self) -> dict[str, int]:
        """What it will add to the account, by counter."""
        counts = dict(self.n_more_counts)
        for name, n in (
            ("accepted", self.n_entries),
            ("delivered", len(self.delivered)),
            ("set_aside", len(self.set_aside)),
            ("waiting", self.n_entries - self.n_resolved),
            ("clock_guessed", sum(entry.is_guessed for entry in self.entries())),
        ):
            counts[name] = counts.get(name, 0) + n
        return counts

    def give_times(self, boot_id: str, offset_ms: int, *, is_guess: bool) -> None:
        """Fix the time of every entry of boot `boot_id` that has none."""
        for submission in self.submissions:
            for idx, entry in enumerate(submission.puts):
                if entry.sa_ms is None and entry.boot_id == boot_id:
                    sa_ms = entry.boot_ms + offset_ms
                    submission.puts[idx] = entry._replace(sa_ms=sa_ms, is_guessed=is_guess)

    def forget(self, entry_id: int, counter: str) -> bool:
        """Take out an entry that never reached flash, and count what became of it; False if not here."""
        for submission in self.submissions:
            for entry in submission.puts:
                if entry.id == entry_id:
                    submission.puts.remove(entry)
                    self._count("accepted", 1)
                    self._count("clock_guessed", int(entry.is_guessed))
                    self._count(counter, 1)
                    return True
        return False

    def add(self, submission: Submission, *, merged_bytes: int = 0) -> None:
        """Append it; or make it one with the last, where both together have at most `merged_bytes`.

        They would go with one batch anyway.  As one they hold only the latest checkpoint of each play.
        """
        last = self.submissions[-1] if self.submissions else None
        if last is None or last.n_bytes + submission.n_bytes > merged_bytes:
            self.submissions.append(submission)
            return
        checkpoints, ended = _merged((last, submission))
        self.submissions[-1] = Submission(
            submission.ticket,
            last.puts + submission.puts,
            tuple(checkpoints.values()),
            tuple(dict.fromkeys(ended)),
            # The later of two that say the same is for all that the earlier one is for.
            tuple({purge.revise: purge for purge in (*last.purges, *submission.purges)}.values()),
        )

    def revise(self, purge: Purge) -> None:
        """Let go of what `purge` forbids.  Submissions stay, if empty: somebody waits for their tickets."""
        for submission in self.submissions:
            submission.puts[:], counts = revised(submission.puts, purge)
            for name, n in counts.items():
                self._count(name, n)

    def make_room(self, n_most: int, claimed: Collection[int], tried_to: int) -> None:
        """Keep at most `n_most`: fold neighbouring t, which keeps watch time, else drop the oldest.

        What may have been tried, up to id `tried_to`, is not folded: the collector may have it already.
        """
        for _ in range(max(0, self.n_entries - n_most)):
            if not self._fold_oldest_pair(claimed, tried_to):
                oldest = next((entry for entry in self.entries() if entry.id not in claimed), None)
                if oldest is None:
                    return
                self.forget(oldest.id, "dropped.full")

    def _fold_oldest_pair(self, claimed: Collection[int], tried_to: int) -> bool:
        last_of: dict[str, Entry] = {}
        for later in self.entries():
            earlier = last_of.get(later.play)
            last_of[later.play] = later
            if earlier is None or (earlier.kind, later.kind) != ("t", "t"):
                continue
            if (
                earlier.id <= tried_to
                or earlier.id in claimed
                or later.id in claimed
                or (earlier.sa_ms is None) != (later.sa_ms is None)
            ):
                continue
            target = self.fold(earlier.target, later.target)
            if target is not None:
                watched_s = earlier.watched_s + later.watched_s
                self._replace(later, later._replace(target=target, watched_s=watched_s))
                return self.forget(earlier.id, "folded")
        return False

    def _replace(self, old: Entry, new: Entry) -> None:
        for submission in self.submissions:
            if old in submission.puts:
                submission.puts[submission.puts.index(old)] = new

    def _count(self, name: str, n: int) -> None:
        if n:
            self.n_more_counts[name] = self.n_more_counts.get(name, 0) + n


def revised(entries: Iterable[Entry], purge: Purge) -> tuple[list[Entry], dict[str, int]]:
    """What `purge` leaves of entries that are in no store yet, and how the rest is counted."""
    left = [(entry, purge.revised(entry)) for entry in entries]
    gone = [entry for entry, rest in left if rest is None]
    counts = {
        "accepted": len(gone),
        f"dropped.{purge.reason}": len(gone),
        "clock_guessed": sum(entry.is_guessed for entry in gone),
    }
    return [rest for _, rest in left if rest is not None], counts


def _merged(taken: Sequence[Submission]) -> tuple[dict[str, Checkpoint], list[str]]:
    """What remains to be done to checkpoints when these submissions follow each other."""
    checkpoints: dict[str, Checkpoint] = {}
    ended: list[str] = []
    for submission in taken:
        for play in submission.ended:
            checkpoints.pop(play, None)
            ended.append(play)
        for checkpoint in submission.checkpoints:
            checkpoints[checkpoint.play] = checkpoint
    return checkpoints, ended
