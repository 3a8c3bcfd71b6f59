"""Plays that their players ended, remembered in case it is said again.

A player that was cut off before its last ack cannot know that the end of its play is on flash, and says
the play again, with the `at` it had.  Each `at` of the play that is not later than its end is known.
In memory and, in the place of the play's checkpoint, on flash: bounded in number and in time.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from jwpingd.spool import Checkpoint

KEPT_MS = 10 * 60 * 1000  # nobody is believed about earlier moments
MAX_FINISHED = 64  # as many as connections


class Owner(NamedTuple):
    """Who may resume a play: the same user with the same app, by the player's own key and the medium.

    The medium, because a player that uses one key for all it plays must not have its plays taken for one.
    """

    uid: int
    app_id: str
    play_key: str
    media_id: str


class Finished(NamedTuple):
    """A play and the moment of its end, ms of this boot's CLOCK_BOOTTIME."""

    owner: Owner
    play_id: str
    boot_id: str
    at_ms: int

    @property
    def checkpoint(self) -> Checkpoint:
        """What is on flash of it."""
        finished = {"owner": list(self.owner), "boot_id": self.boot_id, "at_ms": self.at_ms}
        return Checkpoint(self.play_id, None, json.dumps({"finished": finished}, separators=(",", ":")))


class FinishedPlays:
    """By owner, oldest first."""

    def __init__(self) -> None:
        self._by_owner: dict[Owner, Finished] = {}
        self._forgotten: list[str] = []

    def add(self, finished: Finished) -> None:
        """Remember it, in place of an earlier play of the same key."""
        self._forget(finished.owner)
        self._by_owner[finished.owner] = finished
        if len(self._by_owner) > MAX_FINISHED:
            self._forget(next(iter(self._by_owner)))

    def known_to_ms(self, owner: Owner) -> int | None:
        """Up to when everything about a play of this key is known; None where it is not known at all."""
        finished = self._by_owner.get(owner)
        return None if finished is None else finished.at_ms

    def take_forgotten(self, now_ms: int) -> list[str]:
        """The plays that nothing on flash need remember any more.  They go with the next commit."""
        for finished in [each for each in self._by_owner.values() if each.at_ms <= now_ms - KEPT_MS]:
            self._forget(finished.owner)
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def _forget(self, owner: Owner) -> None:
        finished = self._by_owner.pop(owner, None)
        if finished is not None:
            self._forgotten.append(finished.play_id)


def read(checkpoint: Checkpoint) -> Finished | None:
    """The finished play of a checkpoint; None where it is that of a running one."""
    try:
        values = json.loads(checkpoint.state)["finished"]
        return Finished(Owner(*values["owner"]), checkpoint.play, values["boot_id"], values["at_ms"])
    except (ValueError, TypeError, KeyError):
        return None
