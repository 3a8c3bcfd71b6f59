"""`jwpingd demo`: the whole way of the data on one machine, with the bad days that it is made for.

Nothing is pretended: the collector, the daemon and the player are the ones that are shipped, the daemon
and the player in processes of their own, and the power cut is a `kill -9`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from jwpingd import control
from jwpingd.collector import Collector, Weather, bind, serve
from jwpingd.collector.lines import report_lines
from jwpingd.errors import OperatorError
from jwpingd.plural import counted

EXAMPLE = "jwpingd demo"

_ANALYTICS_ID = "jwpingdDemoPropertyId1"
_FILM_S, _TRAILER_S = 300.0, 40.0
_WAIT_S = 15.0  # for anything that takes well under a second when all is well
_POLL_S = 0.05  # between looks at the daemon: a reader sees no steps
_OF_SYSTEMD = ("NOTIFY_SOCKET", "LISTEN_FDS")
_PICTURE = "player ─line─▶ wire ─Event─▶ session ─Ping─▶ spool (flash) ─▶ uplink ─GET─▶ collector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: it needs no account, no root and no network."""


def run(_args: argparse.Namespace) -> int:
    """Status 0 if every ping arrived and the collector has nothing to object to."""
    with tempfile.TemporaryDirectory(prefix="jwpingd-demo-") as directory:
        _say(f"{_PICTURE}\n\nAll of it on this machine, in {directory}, which is removed at the end.\n")
        return trio.run(_Stage(Path(directory)).play)


class _Stage:
    """The collector in this process; daemon and player beside it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._collector = Collector()
        self._n_shown = 0
        bound = bind("127.0.0.1", 0)
        self._port: int = bound.getsockname()[1]
        bound.close()

    async def play(self) -> int:
        """The four acts and the reckoning."""
        async with self._daemon(), self._online():
            _say(f"1. Somebody watched {_FILM_S:.0f} s of a film; the player held its events back until now.")
            await self._watch("9u6OHIO4", "Elephants Dream", _FILM_S)
            await self._until_nothing_waits()
        async with self._daemon() as daemon:
            _say("\n2. The network is gone; the next film is watched all the same.")
            await self._watch("AbCdEf12", "Spring", _TRAILER_S)
            await self._say_what_waits()
            _say("\n3. Somebody pulls the plug: kill -9.  The box starts again.")
            daemon.kill()
            await daemon.wait()
        async with self._daemon():
            await self._say_what_waits()
            _say("\n4. The network is back.")
            async with self._online():
                await self._until_nothing_waits()
                account = await self._status()
        return self._reckon(account)

    def _reckon(self, account: dict[str, Any]) -> int:
        n_different = self._collector.n_pings - self._collector.checker.n_duplicates
        n_lost = account["accepted"] - n_different
        _say(
            f"\nThe report, as the collector counts:\n\n{report_lines(self._collector, is_coloured=False)}\n"
        )
        _say(
            f"{counted(account['accepted'], 'ping was', 'pings were')} accepted, {n_different} arrived, "
            f"{n_lost} lost; {self._collector.checker.n_duplicates} arrived twice."
        )
        return 1 if n_lost or self._collector.n_violations() else 0

    # --- the actors ---------------------------------------------------------------------------

    @asynccontextmanager
    async def _daemon(self) -> AsyncIterator[trio.Process]:
        command = [sys.executable, "-m", "jwpingd", "run"]
        for setting in (
            f"analytics_id={_ANALYTICS_ID}",
            f"collector_url=http://127.0.0.1:{self._port}",
            "clock.trust=always",  # A demo must not wait for the machine's time service.
            "uplink.start_jitter_s=0",
            "uplink.retry_max_s=1",
            "uplink.concurrency=1",  # In order, which reads best.
            "log.level=error",
        ):
            command += ["--set", setting]
        process = await trio.lowlevel.open_process(command, env=self._environment())
        try:
            with trio.fail_after(_WAIT_S):
                while not await self._is_ready(process):  # noqa: ASYNC110 - it is another process
                    await trio.sleep(_POLL_S)
            yield process
        finally:
            with trio.CancelScope(shield=True):
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                await process.wait()

    @asynccontextmanager
    async def _online(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._serve)
            yield
            nursery.cancel_scope.cancel()

    async def _serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        await serve([bind("127.0.0.1", self._port)], self._collector, Weather(), task_status=task_status)

    async def _watch(self, media_id: str, title: str, duration_s: float) -> None:
        """A player of its own; returns when the daemon has acknowledged, which means: on flash."""
        uptime_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        # At double speed half the time is needed, and a box that has just started has little of it.
        fits_s = min(duration_s, 2 * (uptime_s - 10))
        command = [sys.executable, "-m", "jwpingd", "play", "--held-back", "--json"]
        command += [
            "--socket",
            str(self._directory / "run/player.sock"),
            "--media",
            media_id,
            "--title",
            title,
        ]
        command += ["--duration", f"{fits_s:.0f}"]
        result = await trio.run_process(command, env=self._environment(), capture_stdout=True, check=False)
        if result.returncode:
            raise OperatorError("the simulated player failed; see above")
        told = json.loads(result.stdout)
        written = f"{counted(told['written'], 'line')} written"
        _say(f"   player: {written}; acknowledged {told['ack_ms']} ms after the last")

    # --- looking on ---------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        directories = {
            "STATE_DIRECTORY": "state",
            "RUNTIME_DIRECTORY": "run",
            "CONFIGURATION_DIRECTORY": "etc",
        }
        return {
            **{name: value for name, value in os.environ.items() if name not in _OF_SYSTEMD},
            **{name: str(self._directory / place) for name, place in directories.items()},
        }

    async def _is_ready(self, process: trio.Process) -> bool:
        if process.poll() is not None:
            raise OperatorError(f"the daemon ended with status {process.returncode}; see above")
        try:
            await self._status()
        except OperatorError:
            return False
        return True

    async def _status(self) -> dict[str, Any]:
        path = self._directory / "run/control.sock"
        return await trio.to_thread.run_sync(control.ask, path, "status")

    async def _say_what_waits(self) -> None:
        n_waiting = (await self._status())["waiting"]
        _say(f"   status: {counted(n_waiting, 'ping waits', 'pings wait')} on flash")

    async def _until_nothing_waits(self) -> None:
        """Show the kind of each ping as it arrives: the quickest way to see the shape of a play."""
        print("   collector:", end="", flush=True)
        with trio.fail_after(_WAIT_S):
            while (await self._status())["waiting"]:
                self._show_new()
                await trio.sleep(_POLL_S)
        self._show_new()
        _say("")

    def _show_new(self) -> None:
        kinds = [received.parameters.get("e", "?") for received in self._collector.pings]
        for kind in kinds[self._n_shown :]:
            print(f" {kind}", end="", flush=True)
        self._n_shown = len(kinds)


def _say(text: str) -> None:
    print(text, flush=True)
