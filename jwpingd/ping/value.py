"""A ping and the facts that go with it, as values.  How they are spelt on the wire is `target`'s."""

from __future__ import annotations

from typing import Any, NamedTuple

from jwpingd.device import Device, Fact
from jwpingd.moment import Moment


class Progress(NamedTuple):
    """How far a play has come: the part of a ping that only s, t, vs and gab carry.

    Live plays have `duration_s` 0, `n_quantiles` 0 and `position_128ths` -1.  `watched_s` are the
    seconds watched that no earlier ping reported.
    """

    duration_s: int
    n_quantiles: int
    position_128ths: int
    watched_s: int


class Ping(NamedTuple):
    """One event of one play, as the session saw it.  `kind` is the wire's short name: e i s t vs gab."""

    kind: str
    moment: Moment
    embed_id: str
    play_id: str
    item_number: int
    media_id: str
    title: str
    feed_id: str | None
    progress: Progress | None


class Facts(NamedTuple):
    """What all pings of a play share.  None: not known, or not to be told (consent).

    `configured_os` and `configured_sdk` override what follows from the device.  `feed_id` is the
    configuration's, for items that name none.
    """

    analytics_id: str
    app_id: str
    app_version: str
    device: Device
    configured_os: str | None = None
    configured_sdk: int | None = None
    feed_id: str | None = None
    user_hash: str | None = None
    install_id: str | None = None
    advertising_id: str | None = None
    partner_id: int | None = None
    ping_spec_version: str | None = None
    player_version: str | None = None

    def without_user(self) -> Facts:
        """The same facts with nothing in them that tells one user, or one installation, from another."""
        return self._replace(user_hash=None, install_id=None, advertising_id=None)


def facts_to_json(facts: Facts) -> dict[str, Any]:
    """The facts as JSON values, for the checkpoint of a play that may be resumed."""
    device = facts.device._asdict()
    read = {name: fact._asdict() if isinstance(fact, Fact) else fact for name, fact in device.items()}
    return facts._asdict() | {"device": read}


def facts_from_json(values: dict[str, Any]) -> Facts:
    """The inverse.  Raises TypeError or KeyError where the values are of another version."""
    device: dict[str, Any] = {
        name: Fact(**value) if isinstance(value, dict) else value for name, value in values["device"].items()
    }
    return Facts(**(values | {"device": Device(**device)}))
