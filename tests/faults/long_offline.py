"""A box that is watched for weeks without a network: nothing is lost, and all of it arrives in order.

    python -m tests.faults.long_offline --days 14

The real daemon in virtual time: four hours of live viewing a day, which makes the most pings there
can be; the network comes at the end.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import trio

from jwpingd.clock import BUILD_MS, Clock
from jwpingd.config import Config
from jwpingd.daemon import Daemon
from jwpingd.daemon.box import Box
from jwpingd.daemon.unknown_apps import UnknownApps
from jwpingd.sockets import listening
from jwpingd.sockets.door import Door
from jwpingd.spool import Limits
from tests.faults.full_store import measure
from tests.inline import PlainDevice, run, run_inline
from tests.processes import ANALYTICS_ID
from tests.spool_values import bytes_in, is_balanced
from tests.virtual_clocks import VirtualReaders

VIEWING_S = 4 * 3600
DAY_S = 24 * 3600
TICK_S = 10


@dataclass(slots=True)
class Network(httpx.AsyncBaseTransport):
    """The way to the collector, which is down at first; `arrived` are the parameters of pings in order."""

    is_up: bool = False
    n_tried_in_vain: int = 0
    arrived: list[dict[str, str]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.is_up:
            self.n_tried_in_vain += 1
            raise httpx.ConnectError("no route")
        self.arrived.append(dict(parse_qsl(urlsplit(request.url.raw_path.decode()).query)))
        await trio.sleep(0.05)
        return httpx.Response(200, headers={"Content-Type": "image/gif"}, content=b"GIF89a")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of `n_days`; `counters` as of the end, `store_bytes` before the network came."""

    n_days: int
    counters: dict[str, int]
    store_bytes: int
    n_tried_in_vain: int
    arrived: list[dict[str, str]]
    drained_after_s: float

    def faults(self) -> list[str]:
        """What is not as it should be."""
        watched_s = Counter[str]()
        for ping in self.arrived:
            watched_s[ping["pli"]] += int(ping.get("ti", 0))
        times_ms = [int(ping["sa"]) for ping in self.arrived]
        laws = {
            "a ping is lost, folded or doubled": self.counters["accepted"]
            == self.counters["delivered"]
            == len(self.arrived),
            "a second is lost or doubled": list(watched_s.values()) == [VIEWING_S] * self.n_days,
            "the order is not kept": times_ms == sorted(times_ms),
            "the store is too large": self.store_bytes <= Limits().max_bytes,
        }
        return [what for what, holds in laws.items() if not holds]


def live_through(n_days: int, directory: Path) -> Result:
    """So many days without a network, then the network."""
    results: list[Result] = []

    async def main() -> None:
        results.append(await _live_through(n_days, directory))

    run(main)
    return results[0]


async def _live_through(n_days: int, directory: Path) -> Result:
    network = Network()
    daemon = _daemon(directory, network)
    players, operators = (
        listening.bind(directory / name, mode=0o600, group=None) for name in ("player.sock", "control.sock")
    )
    with players, operators:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run, Door(players), Door(operators))
            await trio.sleep(1)
            for number in range(n_days):
                await _watch(directory / "player.sock", number)
                await trio.sleep(DAY_S - VIEWING_S)
            store_bytes, began_s = bytes_in(directory), trio.current_time()
            network.is_up = True
            while daemon.writer.account().waiting:  # noqa: ASYNC110  # An account has no event to wait for.
                await trio.sleep(1)
            drained_after_s, counters = trio.current_time() - began_s, _counters(daemon)
            daemon.stop()
    return Result(n_days, counters, store_bytes, network.n_tried_in_vain, network.arrived, drained_after_s)


def _daemon(directory: Path, network: Network) -> Daemon:
    """A box whose clock is right, with all settings as they come."""
    start_ms = BUILD_MS + 100 * DAY_S * 1000
    readers = VirtualReaders(start_ms, boottime_ms=3_600_000)
    readers.set_wall(start_ms, is_vouched_for=True)
    config = Config(ANALYTICS_ID, collector_url="https://collector.example")
    return Daemon(
        config,
        directory,
        read_config=lambda: config,
        clock=Clock(readers),
        box=Box(config, PlainDevice(), None, UnknownApps()),
        run_blocking=run_inline,
        look_up=run_inline,
        make_transport=lambda: network,
    )


async def _watch(path: Path, number: int) -> None:
    """An evening before the television; all of it is acknowledged."""
    item = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": f"Evening {number}", "live": True}
    async with await trio.open_unix_socket(str(path)) as player:
        await _say(player, {"event": "hello", "app": {"id": "com.example.tv", "version": "1.0"}}, item)
        for position_s in range(0, VIEWING_S + 1, TICK_S):
            await _say(player, {"event": "time", "position": position_s})
            await trio.sleep(TICK_S)
        await _say(player, {"event": "remove", "id": number})
        assert await player.receive_some() == b'{"ack":%d}\n' % number


async def _say(player: trio.SocketStream, *events: dict[str, Any]) -> None:
    await player.send_all(b"".join(json.dumps(event).encode() + b"\n" for event in events))


def _counters(daemon: Daemon) -> dict[str, int]:
    account = daemon.writer.account()
    assert is_balanced(account)
    return {"accepted": account.accepted, "delivered": account.delivered, "folded": account.folded} | {
        f"dropped.{why}": n for why, n in account.dropped.items()
    }


def main(arguments: Sequence[str]) -> int:
    """Status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=14, help="how many (default: %(default)s)")
    args = parser.parse_args(arguments)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="long-offline-") as name:
        result = live_through(args.days, Path(name))
    print(
        f"{args.days} days of {VIEWING_S // 3600} h offline: {result.counters};"
        f" {result.store_bytes} bytes in the store; {result.n_tried_in_vain} tries in vain;"
        f" all delivered {result.drained_after_s:.0f} s after the network came;"
        f" {time.monotonic() - began_s:.0f} s of real time"
    )
    with tempfile.TemporaryDirectory(prefix="full-store-") as name:
        print(measure(Path(name)))
    print("\n".join(result.faults()) or "0 faults")
    return 1 if result.faults() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
