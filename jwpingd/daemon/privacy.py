"""The consent of the box and its ids, while the daemon runs.

The laws: a choice that cannot be read counts as opted out, but destroys nothing: what waits is neither
sent nor purged until somebody chooses.  A stricter choice holds at once, before it is stored; a looser
one only once it is.  To choose the same again changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import trio

from jwpingd import identity
from jwpingd.daemon.box import Box
from jwpingd.errors import OperatorError
from jwpingd.events import Consent
from jwpingd.identity import ADVERTISING_ID, INSTALL_ID, BoxConsent
from jwpingd.ping import Restriction
from jwpingd.server import Plays, Server
from jwpingd.writer import RunBlocking, Writer

_log = logging.getLogger("jwpingd.privacy")

T = TypeVar("T")

PURGE_PATIENCE_S = 2.0  # an operator is told that flash does not take the purge, rather than nothing


class Privacy:
    """`box` is what new plays are told by.  `make_box` reads it again, and its ids, for a level."""

    def __init__(
        self,
        box: Box,
        consent: BoxConsent,
        writer: Writer,
        plays: Plays,
        server: Server,
        *,
        make_box: Callable[[Consent], Box],
        state_dir: Path,
        run_blocking: RunBlocking,
    ) -> None:
        self.box = box._replace(consent=consent.level)
        self.consent = consent
        self._writer = writer
        self._plays = plays
        self._server = server
        self._make_box = make_box
        self._state_dir = state_dir
        self._run_blocking = run_blocking
        self._applied = Restriction.NOTHING
        self._purge_ticket = 0
        self._is_known = trio.Event()
        self._one_at_a_time = trio.Lock()

    def begin(self) -> None:
        """Apply what was chosen to all that the last run left; it may not have come to that."""
        if self.consent.fault:
            _log.error(
                "%s; treating the box as opted out and sending nothing; choose again with "
                "jwpingd identity opt-in or opt-out",
                self.consent.fault,
            )
            return
        if self.consent.level is not Consent.FULL:
            _log.info("the box is opted out: consent is %s", self.consent.level.value)
        self._take_effect(self.consent.level)

    async def wait_known(self) -> None:
        """Return when the choice is known; at once unless it cannot be read."""
        await self._is_known.wait()

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what `jwpingd identity` asks for.  Raises OperatorError."""
        action, level = request.get("action"), request.get("level")
        async with self._one_at_a_time:
            if action == "choose" and level in [known.value for known in Consent]:
                await self._choose(Consent(level))
            elif action == "reset":
                await self._reset()
            elif action != "show":
                raise OperatorError(f"this jwpingd cannot do {action!r} with ids and consent")
        return self._report()

    def as_json(self) -> dict[str, Any]:
        """The consent, for `status`."""
        return {"level": self.consent.level.value, "fault": self.consent.fault}

    # --- changes ------------------------------------------------------------------------------

    async def _choose(self, level: Consent) -> None:
        is_stricter = Restriction.of(level) > Restriction.of(self.consent.level)
        if is_stricter:
            self._take_effect(level)
        loss = "what was chosen is lost when jwpingd ends" if is_stricter else "nothing has changed"
        await self._on_flash(lambda: identity.store_consent(self._state_dir, level), loss)
        if not is_stricter:
            self._take_effect(level)
        _log.info("the operator chose: consent of the box is %s", level.value)
        if level is Consent.FULL:
            await self._take_ids()
        with trio.move_on_after(PURGE_PATIENCE_S):
            await self._writer.wait_durable(self._purge_ticket)

    async def _reset(self) -> None:
        await self._on_flash(self._discard_ids, "not all ids were made anew")
        await self._take_ids()
        _log.info("the operator had the ids of this box made anew; later plays carry them")

    def _discard_ids(self) -> None:
        for kind in (INSTALL_ID, ADVERTISING_ID):
            kind.discard(self._state_dir)

    async def _take_ids(self) -> None:
        """The ids that are stored; those that are missing are made."""
        level = self.consent.level
        made = await self._run_blocking(lambda: self._make_box(level))
        self.box = self.box._replace(install_id=made.install_id, advertising_id=made.advertising_id)

    async def _on_flash(self, work: Callable[[], None], loss: str) -> None:
        try:
            await self._run_blocking(work)
        except OSError as exc:
            raise OperatorError(
                f"{self._state_dir} cannot be written ({exc.strerror}): {loss}; mend that and say it again"
            ) from exc

    def _take_effect(self, level: Consent) -> None:
        """For plays to come, for those that run, and for what waits."""
        self.consent = BoxConsent(level)
        self.box = self.box._replace(consent=level)
        restriction = Restriction.of(level)
        if restriction > self._applied:
            for connection in self._server.connections:
                connection.dialogue.restrict(restriction)
            self._plays.restrict_held(restriction)
            if self.box.config.privacy.on_opt_out == "purge":
                self._purge_ticket = self._writer.purge(restriction.target, reason="opt_out", is_of_box=True)
        self._applied = restriction
        self._is_known.set()

    def _report(self) -> dict[str, Any]:
        connections = self._server.connections
        n_users = sum(connection.dialogue.claims.user_hash is not None for connection in connections)
        account = self._writer.account()
        is_purged = self._writer.is_durable(self._purge_ticket)
        return {
            "is_running": True,
            "consent": self.consent.level.value,
            "is_chosen": self.consent.is_chosen,
            "fault": self.consent.fault,
            "install_id": self.box.install_id,
            "advertising_id": self.box.advertising_id,
            "n_connections": len(connections),
            "n_users": n_users,
            "n_waiting": account.waiting,
            "n_purged": account.dropped["opt_out"],
            "purge_waits_for": "" if is_purged else self._writer.status().reason or "flash, which is slow",
        }
