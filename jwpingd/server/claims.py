"""What a connection's player says of itself, `hello` by `hello`.  Raw user ids end here."""

from __future__ import annotations

from typing import NamedTuple

from jwpingd import identity
from jwpingd.events import AdvertisingClaim, Consent, Hello
from jwpingd.ping import Restriction


class Claims(NamedTuple):
    """None: never said.  `user_hash` is the only form in which a user is kept."""

    app_id: str | None = None
    app_version: str | None = None
    config_id: str | None = None
    player_version: str | None = None
    user_hash: str | None = None
    advertising: AdvertisingClaim | None = None
    consent: Consent | None = None

    def after(self, hello: Hello, token_claim: str) -> Claims:
        """With what `hello` adds or replaces.  Raises BadEvent for a user that cannot be read."""
        user_hash = None if hello.is_logged_out else self.user_hash
        if hello.user is not None:
            user_hash = identity.user_hash(hello.user, token_claim)
        return self._replace(
            app_id=hello.app_id or self.app_id,
            app_version=hello.app_version or self.app_version,
            config_id=hello.config_id or self.config_id,
            player_version=hello.player_version or self.player_version,
            user_hash=user_hash,
            advertising=hello.advertising or self.advertising,
            consent=hello.consent or self.consent,
        )

    def restriction(self, default: Consent) -> Restriction:
        """What they forbid; `default` is the consent of a player that says nothing of it."""
        is_limited = self.advertising is not None and self.advertising.is_limited
        of_consent = Restriction.of(self.consent or default)
        return max(of_consent, Restriction.NO_ADVERTISING if is_limited else Restriction.NOTHING)
