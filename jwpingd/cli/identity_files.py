"""What `jwpingd identity` does where no daemon runs.

The state directory is changed under the daemon's lock, and as the directory's owner: root would leave
files that the daemon cannot read, and could be led elsewhere by a link that the owner put there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jwpingd import identity, ping
from jwpingd.config import Config
from jwpingd.errors import OperatorError, StoreError
from jwpingd.events import Consent
from jwpingd.identity import ADVERTISING_ID, INSTALL_ID
from jwpingd.ping import Restriction
from jwpingd.sockets import listening
from jwpingd.spool import Batch, Limits, Purge, Spool


def show(state_dir: Path) -> dict[str, Any]:
    """What is stored; makes and changes nothing."""
    consent = identity.read_consent(state_dir)
    machine_id = identity.machine_id()
    return {
        "is_running": False,
        "consent": consent.level.value,
        "is_chosen": consent.is_chosen,
        "fault": consent.fault,
        "install_id": INSTALL_ID.read(state_dir, machine_id),
        "advertising_id": ADVERTISING_ID.read(state_dir, machine_id),
        "purge_waits_for": "",
    }


def choose(state_dir: Path, level: Consent, config: Config | None) -> dict[str, Any]:
    """Store the choice, then purge what waits; without a configuration that is left to the daemon."""
    with _held(state_dir):
        identity.store_consent(state_dir, level)
        waits_for = _purge(state_dir, Restriction.of(level), config)
        return show(state_dir) | {"purge_waits_for": waits_for}


def reset(state_dir: Path) -> dict[str, Any]:
    """Forget the ids; the daemon makes others when it starts."""
    with _held(state_dir):
        for kind in (INSTALL_ID, ADVERTISING_ID):
            kind.discard(state_dir)
        return show(state_dir)


def _purge(state_dir: Path, restriction: Restriction, config: Config | None) -> str:
    """Purge what the restriction forbids; what that has to wait for, or ""."""
    if restriction is Restriction.NOTHING or not Spool.is_in(state_dir):
        return ""
    if config is None:
        return "the configuration has mistakes (jwpingd check); what waits is purged when jwpingd starts"
    if config.privacy.on_opt_out == "keep":
        return ""
    limits = Limits(max_bytes=config.spool.max_bytes, max_age_days=config.spool.max_age_days)
    try:
        spool = Spool.open(state_dir, limits, fold=ping.fold)
        purge = Purge(restriction.target, "opt_out", is_of_box=True)
        spool.commit(Batch(spool.last_batch + 1, purges=(purge,)))
        spool.close()
    except StoreError as exc:
        return f"{exc}; what waits is purged when jwpingd starts"
    return ""


@contextmanager
def _held(state_dir: Path) -> Iterator[None]:
    """The directory for us alone, as its owner.  Raises OperatorError where that or the work fails."""
    with _as_owner(state_dir):
        lock = listening.lock(state_dir)
        umask = os.umask(0o077)  # As the daemon: what is stored is nobody else's business.
        try:
            yield
        except OSError as exc:
            raise OperatorError(f"{state_dir} cannot be written: {exc.strerror}") from exc
        finally:
            os.umask(umask)
            os.close(lock)


@contextmanager
def _as_owner(state_dir: Path) -> Iterator[None]:
    """Root becomes the owner of the directory meanwhile; anybody else stays who they are."""
    try:
        owner = state_dir.stat()
    except OSError:
        owner = None
    if os.geteuid() != 0 or owner is None or owner.st_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
