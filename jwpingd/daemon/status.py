"""What an operator is told: one JSON object.  No user ids, no tokens, no titles beyond the media id."""

from __future__ import annotations

from typing import Any

from jwpingd import __version__
from jwpingd.clock import Clock
from jwpingd.moment import Moment
from jwpingd.server import Server
from jwpingd.server.connection import Connection
from jwpingd.sockets.credentials import Peer
from jwpingd.spool import Account
from jwpingd.uplink import UplinkStatus
from jwpingd.writer import StoreStatus


def report(
    *,
    account: Account,
    store: StoreStatus,
    clock: Clock,
    uplink: dict[str, Any],
    server: Server,
    n_held_plays: int,
    n_unknown_apps: int,
    started_boot_ms: int,
) -> dict[str, Any]:
    """The answer to `status --json`."""
    now = clock.now()
    return {
        "version": __version__,
        "state": "degraded" if store.reason else "running",
        "boot_ms": now.boot_ms,
        "up_s": round((now.boot_ms - started_boot_ms) / 1000, 1),
        **_counters(account, clock),
        "store": {
            "state": "degraded" if store.reason else "ok",
            "reason": store.reason,
            # What left from memory is kept there until flash knows; nobody needs to worry about it.
            "n_in_memory": min(store.n_in_memory, account.waiting),
            "is_open": store.is_open,
        },
        "clock": _clock(clock, now),
        "uplink": uplink,
        "plays_held": n_held_plays,
        "clients": [_client(connection, peer) for connection, peer in server.connections.items()],
        "clients_refused": server.n_refused,
        "unknown_apps": n_unknown_apps,
    }


def of_uplink(state: UplinkStatus | None) -> dict[str, Any]:
    """How delivery stands, as JSON values; before it has begun it counts as offline."""
    if state is None:
        return {"is_online": False, "last_error": "not started yet"}
    return state._asdict() | {"retries": dict(state.retries)}


def age_s(account: Account, clock: Clock) -> float | None:
    """How long the oldest ping has waited; None where nothing waits or nobody can know."""
    oldest, now = account.oldest, clock.now()
    if oldest is None or not account.waiting:  # Delivered ones stay on flash until deletes have gathered.
        return None
    if oldest.boot_id == now.boot_id:
        return round((now.boot_ms - oldest.boot_ms) / 1000, 1)
    if oldest.sa_ms is None or now.wall_ms is None:
        return None
    return round(max(0, now.wall_ms - oldest.sa_ms) / 1000, 1)


def _counters(account: Account, clock: Clock) -> dict[str, Any]:
    return {
        "accepted": account.accepted,
        "delivered": account.delivered,
        "waiting": account.waiting,
        "set_aside": account.set_aside,
        "folded": account.folded,
        "dropped": dict(account.dropped),
        "clock_guessed": account.clock_guessed,
        "oldest_waiting_s": age_s(account, clock),
    }


def _clock(clock: Clock, now: Moment) -> dict[str, Any]:
    """`wall_ms` is the box's clock as it is, `known_ms` the time that pings get, null while it is unknown."""
    state = clock.state
    return {
        "state": state.name,
        "reason": state.reason,
        "wall_ms": clock.guess_now(),
        "known_ms": now.wall_ms,
    }


def _client(connection: Connection, peer: Peer) -> dict[str, Any]:
    players = connection.dialogue.players
    return {
        "uid": peer.uid,
        "pid": peer.pid,
        **connection.caller.status(connection.dialogue.claims),
        "players": [
            {"player": name, "media": running.item.media_id, "has_started": running.meter is not None}
            for name, player in players.items()
            if (running := player.session.running) is not None
        ],
    }
