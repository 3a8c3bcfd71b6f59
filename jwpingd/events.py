"""What a player can tell us.  An instance that exists is valid: `wire` refuses anything else.

The names are those of the JW Player API.  Positions and durations are whole milliseconds; a
duration that is absent, null, NaN, infinite or below one second is None (ping interface §5.3).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Consent(Enum):
    """How much of the user may appear in pings, from most to least."""

    FULL = "full"
    ANONYMOUS = "anonymous"
    NONE = "none"

    def strictest(self, other: Consent) -> Consent:
        """The one of the two that tells less."""
        order = list(Consent)
        return max(self, other, key=order.index)


class UserClaim(NamedTuple):
    """Who the player says is logged in: exactly one of the three is given.

    `user_id` and `token` are secrets: they must not reach a disk, a log or a reply.  Their
    representation is therefore hidden.
    """

    user_id: str | None = None
    user_hash: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return "UserClaim(…)"


class AdvertisingClaim(NamedTuple):
    """The platform's advertising id as the player's app was given it; `is_limited` forbids its use."""

    advertising_id: str | None
    is_limited: bool


class Hello(NamedTuple):
    """Who is speaking.  A field the player left out is None and keeps what was known before.

    `is_logged_out` tells "user": null (nobody is logged in) from a hello without the key.
    """

    app_id: str | None = None
    app_version: str | None = None
    config_id: str | None = None
    player_version: str | None = None
    user: UserClaim | None = None
    is_logged_out: bool = False
    advertising: AdvertisingClaim | None = None
    consent: Consent | None = None


class PlaylistItem(NamedTuple):
    """An item has been loaded.  `is_live` None: not announced; `play_key` "": not resumable."""

    player: str
    media_id: str
    title: str
    feed_id: str | None = None
    duration_ms: int | None = None
    is_live: bool | None = None
    play_key: str = ""


class Time(NamedTuple):
    """A tick of playback.  Most events are one: made as a tuple, because that takes half the time."""

    player: str
    position_ms: int
    duration_ms: int | None = None


class Seek(NamedTuple):
    """A seek began, to `offset_ms` if the player knows it."""

    player: str
    offset_ms: int | None = None


class Seeked(NamedTuple):
    """The seek ended."""

    player: str


class Play(NamedTuple):
    """Playback goes on."""

    player: str


class Pause(NamedTuple):
    """Playback stands still."""

    player: str


class PlaybackRateChanged(NamedTuple):
    """Playback goes on at `rate` times normal speed; negative or above 2 is trick play."""

    player: str
    rate: float


class AdImpression(NamedTuple):
    """The first frame of an ad has been shown."""

    player: str


class Complete(NamedTuple):
    """The item played to its end."""

    player: str


class Remove(NamedTuple):
    """The item or the player was closed."""

    player: str


PlayEvent = (
    PlaylistItem
    | Time
    | Seek
    | Seeked
    | Play
    | Pause
    | PlaybackRateChanged
    | AdImpression
    | Complete
    | Remove
)
"""What drives one player's session."""

Event = Hello | PlayEvent
