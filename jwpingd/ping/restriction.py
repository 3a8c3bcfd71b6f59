"""What may no longer be told of a user, by pings to come and by pings that wait already."""

from __future__ import annotations

import re
from enum import IntEnum

from jwpingd.events import Consent
from jwpingd.ping.value import Facts

_EMBED = r"[?&]emi=([^&]*)"


class Restriction(IntEnum):
    """From none to all; each includes those before it."""

    NOTHING = 0
    NO_ADVERTISING = 1
    ANONYMOUS = 2
    NO_PING = 3

    @classmethod
    def of(cls, consent: Consent) -> Restriction:
        """What a consent forbids."""
        return _OF_CONSENT[consent]

    def facts(self, facts: Facts) -> Facts | None:
        """What is left of the facts of a play; None where no ping may be made of it."""
        if self is Restriction.NO_PING:
            return None
        if self is Restriction.ANONYMOUS:
            return facts.without_user()
        return facts._replace(advertising_id=None) if self is Restriction.NO_ADVERTISING else facts

    def target(self, target: str) -> str | None:
        """What is left of a request target, None where nothing may be sent; unchanged if it told nothing."""
        if self is Restriction.NO_PING:
            return None
        path, mark, query = target.partition("?")
        left = [pair for pair in query.split("&") if pair.partition("=")[0] not in _FORBIDDEN_KEYS[self]]
        return path + mark + "&".join(left)


_OF_CONSENT = {
    Consent.FULL: Restriction.NOTHING,
    Consent.ANONYMOUS: Restriction.ANONYMOUS,
    Consent.NONE: Restriction.NO_PING,
}

_FORBIDDEN_KEYS: dict[Restriction, frozenset[str]] = {
    Restriction.NOTHING: frozenset(),
    Restriction.NO_ADVERTISING: frozenset({"ifa"}),
    Restriction.ANONYMOUS: frozenset({"ifa", "oaid", "oiid"}),
}


def embed_id(target: str) -> str:
    """The `emi` of a request target, "" where there is none."""
    found = re.search(_EMBED, target)
    return found[1] if found else ""
