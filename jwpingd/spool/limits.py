"""How much the spool may hold, and how its bytes are divided."""

from __future__ import annotations

from typing import NamedTuple

PAGE_BYTES = 512  # The smallest SQLite has: a lone ping then costs the fewest flash bytes (measured).
FRAME_BYTES = PAGE_BYTES + 24  # A page in the write-ahead log, with its header.
MIN_MAX_BYTES = 1 << 20  # less has no room for log, reserve and one transaction
_ACCOUNT_BYTES = 2 * 4096  # The account's second copy and its successor while it is being written.
_USABLE_BYTES = PAGE_BYTES - 4  # Of an overflow page; the rest is the number of the next.
_ROW_BYTES = 64  # A row without its texts, at most.


class Limits(NamedTuple):
    """`max_bytes` bounds database, write-ahead log, reserve and set-aside copies together.

    `max_set_aside` bounds the rows of the dead-letter table; they take at most a sixteenth of the bytes.
    """

    max_bytes: int = 16 << 20
    max_age_days: float = 30.0
    max_set_aside: int = 256

    def check(self) -> None:
        """Raises ValueError where there would be no room to work in."""
        if self.max_bytes < MIN_MAX_BYTES:
            raise ValueError(f"max_bytes is {self.max_bytes}, the least is {MIN_MAX_BYTES}")

    @property
    def reserve_bytes(self) -> int:
        """Of the file that is given up on a full disk."""
        return min(128 << 10, self.max_bytes // 32)

    @property
    def log_bytes(self) -> int:
        """The write-ahead log's file, which is laid out once; larger only while it holds a large transaction.

        Twice as many are written once more at each start, half as many bring it in more often (measured).
        """
        return min(256 << 10, self.max_bytes // 16)

    @property
    def checkpoint_frames(self) -> int:
        """The log goes back into the database after this many pages; a usual batch still fits behind them."""
        return self.log_bytes // FRAME_BYTES * 4 // 5

    @property
    def transaction_frames(self) -> int:
        """What one transaction may add to the write-ahead log without more ado."""
        return max(192 << 10, self.max_bytes // 16) // FRAME_BYTES

    @property
    def max_batch_bytes(self) -> int:
        """Texts in one batch that always fit, as long as the store can make room for them."""
        return self.transaction_frames * PAGE_BYTES // 4

    @property
    def max_deletes(self) -> int:
        """Rows that one transaction may delete, even if each is as large as a target can be."""
        return self.transaction_frames // 16

    @property
    def max_damaged_bytes(self) -> int:
        """A damaged copy larger than this is not kept once what can be read of it is carried over."""
        return self.max_bytes // 4

    @property
    def max_newer_bytes(self) -> int:
        """A newer program's store larger than this cannot be kept beside ours."""
        return self.max_bytes // 2

    @property
    def max_set_aside_bytes(self) -> int:
        """Targets in the dead-letter table."""
        return self.max_bytes // 16

    def max_pages(self, copies_bytes: int) -> int:
        """Pages the database may have when set-aside copies take `copies_bytes`."""
        log_bytes = self.log_bytes + self.transaction_frames * FRAME_BYTES
        return (self.storage_bytes(copies_bytes) - log_bytes) // PAGE_BYTES

    def storage_bytes(self, copies_bytes: int) -> int:
        """What is left for the database and its write-ahead log."""
        return self.max_bytes - copies_bytes - self.reserve_bytes - _ACCOUNT_BYTES


def n_pages(text_bytes: int) -> int:
    """Pages that a row with so much text takes, at most."""
    return 1 + (text_bytes + _ROW_BYTES) // _USABLE_BYTES
