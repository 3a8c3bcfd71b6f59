"""What this box adds to a play's pings: the app, the device, the user, as far as consent goes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from jwpingd import apps, identity
from jwpingd.apps import Program
from jwpingd.config import AppRule, Config
from jwpingd.device import Device, Fact
from jwpingd.events import Consent
from jwpingd.ping import Facts
from jwpingd.server import Claims
from jwpingd.sockets import Peer

_log = logging.getLogger("jwpingd.box")


@dataclass(frozen=True, slots=True)
class Box:
    """One configuration applied to one box; a reload makes another one.

    `program_of` looks up the process at the other end of a socket.
    """

    config: Config
    device: Device
    install_id: str | None
    program_of: Callable[[Peer], Program] = lambda peer: apps.program(peer.pid, peer.uid)
    warned_uids: set[int] = field(default_factory=set)

    def facts(self, peer: Peer, claims: Claims) -> Facts | None:
        """The facts of a play that begins now; None where consent allows no ping at all."""
        consent = claims.consent or self.config.privacy.consent
        if consent is Consent.NONE:
            return None
        program = self.program_of(peer)
        rule = self._rule(program, claims)
        app_id = claims.app_id or (rule and rule.id) or self.config.app.id or self._unknown_app(peer, program)
        settings = self.config.player
        facts = Facts(
            analytics_id=(rule and rule.analytics_id) or self.config.analytics_id,
            app_id=app_id,
            app_version=claims.app_version or (rule and rule.version) or self.config.app.version or "0",
            device=self.device,
            configured_os=self.config.device.os,
            configured_sdk=self.config.device.sdk,
            feed_id=settings.feed_id,
            user_hash=claims.user_hash,
            install_id=settings.config_id or self.install_id,
            advertising_id=identity.advertising_id(
                self.config.identity.advertising_id, claims.advertising, None
            ),
            partner_id=settings.partner_id,
            ping_spec_version=settings.ping_spec_version,
            player_version=claims.player_version,
        )
        return facts if consent is Consent.FULL else facts.without_user()

    def _unknown_app(self, peer: Peer, program: Program) -> str:
        app_id = f"unknown.{program.user}"
        if peer.uid not in self.warned_uids:
            self.warned_uids.add(peer.uid)
            _log.warning("no app id for uid %d, sending %r; name it in hello or [[apps]]", peer.uid, app_id)
        return app_id

    def _rule(self, program: Program, claims: Claims) -> AppRule | None:
        return next(
            (rule for rule in self.config.apps if apps.matches(rule.match, program, claims.app_id)), None
        )


def overridden(device: Device, config: Config) -> Device:
    """What was detected, with what the operator knows better."""
    settings = config.device
    given: dict[str, str | None] = {
        "os_version": settings.os_version,
        "model": settings.model,
        "firmware": settings.firmware,
        "language": settings.language,
    }
    facts: dict[str, Any] = {
        name: Fact(value, f"device.{name}") for name, value in given.items() if value is not None
    }
    return replace(device, **facts)
