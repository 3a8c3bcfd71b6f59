"""One player, what becomes of its pings, and what survives of its running play.

A play's checkpoint is its will, the `gab` that is sent if it is never heard of again, and, for a play
with a key, the state from which it goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jwpingd import ping, session
from jwpingd.moment import Moment
from jwpingd.ping import Facts, Ping, facts_from_json, facts_to_json
from jwpingd.server.finished import Finished, Owner
from jwpingd.session import Session
from jwpingd.spool import Checkpoint, Entry, changed


@dataclass(slots=True, eq=False)
class Player:
    """One player: its session and what its running play's pings carry.

    `facts` None: no ping is made (consent "none").  `saved` is the checkpoint on its way to flash, None
    where there is none to remove.  `held_until_ms`: the connection is gone and the play may be resumed.
    `at_ms` is the newest `at` that it has taken.  `known_to_ms`, of a play that was resumed: what its
    player says of the time up to then, it says again.  `finished` is to be put on flash with its end.
    """

    session: Session
    uid: int
    facts: Facts | None = None
    saved: Checkpoint | None = None
    held_until_ms: int | None = None
    cut_ms: int | None = None
    at_ms: int | None = None
    known_to_ms: int | None = None
    finished: Finished | None = None

    @property
    def owner(self) -> Owner | None:
        """Under which key the running play can be resumed; None where it cannot."""
        running = self.session.running
        if running is None or not running.item.play_key or self.facts is None:
            return None
        return Owner(self.uid, self.facts.app_id, running.item.play_key, running.item.media_id)


def revived(checkpoint: Checkpoint, new_id: Callable[[], str]) -> Player | None:
    """The player whose play a checkpoint holds; None where it cannot be resumed."""
    try:
        state = json.loads(checkpoint.state)
        latest = Moment(**state["latest"])
        player = Player(Session(new_id), state["uid"], facts_from_json(state["facts"]))
        session.restore(player.session, state["session"])
        player.cut_ms = state["cut_ms"]
    except (ValueError, TypeError, KeyError):
        return None
    player.session.latest, player.saved = latest, checkpoint
    player.at_ms = state.get("at_ms")  # Absent from what an older daemon left behind.
    return player


def entries(pings: Sequence[Ping], facts: Facts | None) -> list[Entry]:
    """None at all where consent allows no ping."""
    return [] if facts is None else [_entry(made, facts) for made in pings]


def _entry(made: Ping, facts: Facts) -> Entry:
    moment = made.moment
    return Entry(
        id=0,
        play=made.play_id,
        kind=made.kind,
        watched_s=made.progress.watched_s if made.progress else 0,
        target=ping.target(made, facts),
        boot_id=moment.boot_id,
        boot_ms=moment.boot_ms,
        sa_ms=moment.wall_ms,
    )


def checkpoint_of(player: Player) -> Checkpoint | None:
    """What must survive of the running play; None where nothing would be sent or resumed."""
    running = player.session.running
    if running is None or player.facts is None:
        return None
    final = player.session.final_ping()
    will = _entry(final, player.facts) if final is not None else None
    state = json.dumps(_state(player), separators=(",", ":")) if player.owner else ""
    return Checkpoint(running.play_id, will, state) if will or state else None


def _state(player: Player) -> dict[str, Any]:
    latest = player.session.latest
    assert latest is not None and player.facts is not None
    return {
        "uid": player.uid,
        "cut_ms": player.cut_ms,
        "at_ms": player.at_ms,
        "latest": {"boot_id": latest.boot_id, "boot_ms": latest.boot_ms, "wall_ms": latest.wall_ms},
        "facts": facts_to_json(player.facts),
        "session": session.dump(player.session),
    }


def is_same(checkpoint: Checkpoint, saved: Checkpoint | None) -> bool:
    """Whether nothing but time has passed: a paused play costs no writes."""
    if saved is None or checkpoint.play != saved.play:
        return False
    return _without_time(checkpoint) == _without_time(saved)


def _without_time(checkpoint: Checkpoint) -> tuple[Entry | None, dict[str, Any] | None]:
    will = checkpoint.will and changed(checkpoint.will, boot_ms=0, sa_ms=None)
    state = json.loads(checkpoint.state) if checkpoint.state else None
    if state is not None:
        del state["latest"], state["at_ms"]
    return will, state
