"""What this box adds to a play's pings: the app, the device, the user, as far as consent goes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from jwpingd import identity
from jwpingd.apps import App, Process
from jwpingd.config import Config
from jwpingd.daemon import app as naming
from jwpingd.daemon.box_device import BoxDevice
from jwpingd.daemon.unknown_apps import UnknownApps
from jwpingd.events import Consent
from jwpingd.ping import Facts, Restriction
from jwpingd.server import Claims


class Box(NamedTuple):
    """One configuration applied to one box, whose files are below `root`; a reload makes another one.

    `device` gives the box as it is now.  `install_id` and `advertising_id` are those that were made here.
    `consent` is the most that any player may ask for.  `unknown_apps` outlives a reload.
    """

    config: Config
    device: BoxDevice
    install_id: str | None
    unknown_apps: UnknownApps
    root: Path = Path("/")
    advertising_id: str | None = None
    consent: Consent = Consent.FULL

    def facts(self, process: Process, detected: App | None, claims: Claims) -> Facts | None:
        """The facts of a play that begins now; None where consent allows no ping at all."""
        consent = self._consent(claims)
        if consent is Consent.NONE:
            return None
        rule = naming.rule(self.config, process, detected, claims)
        app = self.app(process, detected, claims)
        if app.source == naming.UNKNOWN:
            self.unknown_apps.note(process.uid, app.id)
        settings = self.config.player
        facts = Facts(
            analytics_id=(rule and rule.analytics_id) or self.config.analytics_id,
            app_id=app.id,
            app_version=app.version or "0",
            device=self.device(),
            configured_os=self.config.device.os,
            configured_sdk=self.config.device.sdk,
            feed_id=settings.feed_id,
            user_hash=claims.user_hash,
            install_id=claims.config_id or settings.config_id or self.install_id,
            advertising_id=identity.advertising_id(
                self.config.identity.advertising_id, claims.advertising, self.advertising_id
            ),
            partner_id=settings.partner_id,
            ping_spec_version=settings.ping_spec_version,
            player_version=claims.player_version,
        )
        return Restriction.of(consent).facts(facts)

    def app(self, process: Process, detected: App | None, claims: Claims) -> App:
        """The app that a play of this process is counted for."""
        return naming.app(self.config, process, detected, claims)

    def must_detect(self, process: Process, claims: Claims) -> bool:
        """Whether `facts` would be less without a look for the process's app."""
        is_silent = self._consent(claims) is Consent.NONE
        return not is_silent and naming.must_be_detected(self.config, process, claims)

    def _consent(self, claims: Claims) -> Consent:
        return self.consent.strictest(claims.consent or self.config.privacy.consent)
