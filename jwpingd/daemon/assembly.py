"""From the configuration to what each room is given."""

from __future__ import annotations

import math
import pwd
import resource
import sys
from pathlib import Path
from urllib.parse import urlsplit

from jwpingd import identity
from jwpingd.clock import Clock, boot_id
from jwpingd.config import Config
from jwpingd.daemon import trusted_time
from jwpingd.daemon.box import Box
from jwpingd.daemon.box_device import BoxDevice
from jwpingd.daemon.unknown_apps import UnknownApps
from jwpingd.events import Consent
from jwpingd.identity import ADVERTISING_ID, INSTALL_ID, StoredId
from jwpingd.server import Limits, Rules
from jwpingd.spool import Limits as SpoolLimits
from jwpingd.uplink import Options

RECENT_BOOT_S = 5 * 60.0  # a daemon that starts this soon after the box starts with the box
RESERVED_DESCRIPTORS = 96  # 20 while idle, 64 for the collector at most, and some for looking players up
USUAL_DESCRIPTORS = 1024  # Linux's default, and what the unit file sets
_AT_START_ONLY = ("socket.path", "socket.mode", "socket.group", "spool", "session.resume_s", "clock", "log")


def box(config: Config, state_dir: Path, root: Path = Path("/"), *, consent: Consent | None = None) -> Box:
    """What this box adds to pings; reads files below `root`, and makes the ids.

    `consent` is that of the box; None: the one that is stored.
    """
    settings = config.identity
    consent = consent or identity.read_consent(state_dir).level
    machine_id = identity.machine_id(root)

    def stored(kind: StoredId, *, is_wanted: bool) -> str | None:
        if not is_wanted:
            return None
        # No id is made of a box that would not tell it.
        find = kind.read_or_make if consent is Consent.FULL else kind.read
        return find(state_dir, machine_id)

    return Box(
        config,
        BoxDevice(config, root),
        install_id=stored(INSTALL_ID, is_wanted=settings.install_id),
        unknown_apps=UnknownApps(),
        advertising_id=stored(ADVERTISING_ID, is_wanted=settings.advertising_id == "generate"),
        consent=consent,
        root=root,
    )


def clock(config: Config, state_dir: Path) -> Clock:
    """The box's clock, as far as the configuration lets it be believed."""
    known = trusted_time.read(state_dir)
    return Clock(
        trust=config.clock.trust,
        # The configuration allows http only on loopback.
        is_collector_local=urlsplit(config.collector_url).scheme == "http",
        last_trusted_ms=known.wall_ms,
        proven_offset_ms=known.proven_in(boot_id()),
    )


def limits(config: Config) -> Limits:
    """What players may take."""
    settings = config.socket
    return Limits(
        rules=Rules(
            max_line_bytes=settings.max_line_bytes,
            max_players=settings.max_players,
            checkpoint_s=config.session.checkpoint_s,
            token_claim=config.identity.token_claim,
            consent=config.privacy.consent,
            purges_on_opt_out=config.privacy.on_opt_out == "purge",
        ),
        max_connections=settings.max_connections,
        max_connections_per_uid=settings.max_connections_per_uid,
        max_events_per_s=settings.max_events_per_s,
        allowed_uids=_allowed_uids(settings.allow_users),
        max_descriptors=_max_descriptors(),
    )


def _max_descriptors() -> int:
    """Below which number players' connections must be, so that flash, collector and operators get theirs."""
    try:
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except OSError:  # The service's sandbox keeps it from asking.
        most = USUAL_DESCRIPTORS
    if most == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(most - RESERVED_DESCRIPTORS, most // 2)


def spool_limits(config: Config) -> SpoolLimits:
    """How much may wait on flash."""
    return SpoolLimits(max_bytes=config.spool.max_bytes, max_age_days=config.spool.max_age_days)


def uplink_options(config: Config) -> Options:
    """How pings are delivered."""
    settings = config.uplink
    return Options(
        collector_url=config.collector_url,
        concurrency=settings.concurrency,
        timeout_s=settings.timeout_s,
        max_per_s=settings.max_per_s,
        retry_first_s=settings.retry_first_s,
        retry_max_s=settings.retry_max_s,
        proxy=settings.proxy,
        user_agent=settings.user_agent,
        ca_file=config.tls.ca_file,
    )


def hold_backlog_until_s(config: Config, of: Clock, fraction: float) -> float:
    """Until when what an earlier run left must wait, in seconds since boot.

    Only a daemon that starts with the box waits: then a whole neighbourhood may start with it.
    """
    now_s = of.now().boot_ms / 1000
    return now_s + fraction * config.uplink.start_jitter_s if now_s < RECENT_BOOT_S else now_s


def needs_restart(before: Config, after: Config) -> list[str]:
    """The settings that differ and that a running daemon does not take."""
    return [name for name in _AT_START_ONLY if _value(before, name) != _value(after, name)]


class UplinkClock:
    """The suspend-proof clock in the uplink's seconds."""

    def __init__(self, of: Clock) -> None:
        self._clock = of

    def boot_s(self) -> float:
        return self._clock.boot_ms() / 1000

    async def sleep_until(self, boot_s: float) -> None:
        # The next millisecond: who wakes a fraction too early has nothing to do, and would spin.
        await self._clock.sleep_until_boot_ms(math.floor(max(boot_s, 0.0) * 1000) + 1)


def _value(config: Config, dotted: str) -> object:
    value: object = config
    for name in dotted.split("."):
        value = getattr(value, name)
    return value


def _allowed_uids(users: tuple[str, ...]) -> frozenset[int]:
    """The users' numbers; root may always connect where there is a list.  Unknown names allow nobody."""
    if not users:
        return frozenset()
    return frozenset({0} | {uid for user in users if (uid := _uid(user)) is not None})


def _uid(user: str) -> int | None:
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None
