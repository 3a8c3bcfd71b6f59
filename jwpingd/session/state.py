"""A running play as plain values and back, for a player that resumes it by its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from jwpingd.events import PlaylistItem
from jwpingd.session.live import Live
from jwpingd.session.ordinary import Ordinary
from jwpingd.session.play import Play
from jwpingd.session.player import Session

_METERS = {"ordinary": Ordinary, "live": Live}


def dump(session: Session) -> dict[str, Any]:
    """What `restore` needs, as JSON values.  There must be a running play."""
    play = session.running
    assert play is not None
    meter = next((name for name, kind in _METERS.items() if isinstance(play.meter, kind)), None)
    state = {field.name: getattr(play, field.name) for field in fields(Play) if field.name != "pings"}
    return {
        "n_items": session.n_items,
        "meter_kind": meter,
        "play": state | {"item": play.item._asdict(), "meter": asdict(play.meter) if play.meter else None},
    }


def restore(session: Session, state: Mapping[str, Any]) -> None:
    """Let `session` go on with the play of `state`: its embed, numbering, position and credit.

    Raises ValueError, KeyError or TypeError when `state` is not what `dump` made; nothing is changed then.
    """
    values = dict(state["play"])
    values["item"] = PlaylistItem(**values["item"])
    if state["meter_kind"] is not None:
        values["meter"] = _METERS[state["meter_kind"]](**values["meter"])
    play = Play(**values)
    n_items = int(state["n_items"])
    session.play, session.embed_id, session.n_items = play, play.embed_id, n_items
