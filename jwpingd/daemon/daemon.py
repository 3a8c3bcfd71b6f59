"""The life of the process: start, run, reload, stop.

The law of stopping: two seconds after SIGTERM the process is gone, whatever network and flash do.
One commit is waited for, so that what players wrote before the stop is on flash.
"""

from __future__ import annotations

import logging
import random
import secrets
import signal
import socket
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import trio

from jwpingd import identity, network, notify, ping
from jwpingd.clock import Clock
from jwpingd.config import Config
from jwpingd.control import serving
from jwpingd.daemon import assembly, status, trusted_time
from jwpingd.daemon.box import Box
from jwpingd.daemon.caller import PeerCaller
from jwpingd.daemon.privacy import Privacy
from jwpingd.daemon.queue import Queue
from jwpingd.daemon.status_line import StatusLine, line
from jwpingd.daemon.timekeeper import Timekeeper
from jwpingd.daemon.trusted_time import TrustedTime
from jwpingd.daemon.watchdog import Turning, Watchdog
from jwpingd.errors import ConfigError, StoreError
from jwpingd.server import Plays, Server
from jwpingd.spool import Spool
from jwpingd.uplink import CollectorTime, Outcome, Uplink
from jwpingd.uplink.connections import MakeTransport
from jwpingd.writer import IsPurged, RunBlocking, StoreStatus, Writer

_log = logging.getLogger("jwpingd")

STOP_S = 1.5  # for the last commit, of the two seconds that SIGTERM leaves
CHECK_AFTER_S = 30.0  # the thorough look at the store waits until the box has started
EXPIRE_EVERY_MS = 24 * 3600 * 1000
ASK_FOR_TIME_EVERY_S, MORE_TIME_S = 5.0, 30.0  # of systemd, while the store is being opened
_ID_ALPHABET = string.digits + string.ascii_lowercase


def _log_store(store: StoreStatus) -> None:
    if store.reason:
        _log.error("%s; keeping pings in memory, without acknowledging them, and trying again", store.reason)
    else:
        _log.warning("the store takes pings again; %d are still in memory", store.n_in_memory)


def new_id() -> str:
    """A random id for an embed or a play: 12 of [0-9a-z]."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))


class Daemon:
    """Everything, for one state directory.  `run` it once.

    `read_config` reads the configuration again for SIGHUP.  `run_blocking` is where commits happen,
    `look_up` where players are looked up; tests on the mock clock pass inline ones.  `make_transport`
    replaces the network.
    """

    def __init__(
        self,
        config: Config,
        state_dir: Path,
        *,
        read_config: Callable[[], Config],
        clock: Clock,
        box: Box,
        run_blocking: RunBlocking = assembly.run_in_thread,
        look_up: RunBlocking | None = None,
        make_transport: MakeTransport | None = None,
    ) -> None:
        self.config = config
        self._state_dir = state_dir
        self._read_config = read_config
        self._clock = clock
        self._run_blocking = run_blocking
        self._make_transport = make_transport
        self._started_boot_ms = clock.now().boot_ms
        self._stopping = trio.Event()
        self._stop_at = float("inf")
        self._status_line = StatusLine(self._line, notify.status)
        self.writer = Writer(
            lambda: Spool.open(state_dir, assembly.spool_limits(config), fold=ping.fold),
            run_blocking,
            fold=ping.fold,
            memory_max=config.spool.memory_max,
            max_batch_bytes=assembly.spool_limits(config).max_batch_bytes,
            on_change=self._note_store,
            on_commit=self._status_line.note,
            on_purge=self._withdraw,
            on_repair=lambda what: _log.warning("%s", what),
        )
        look_up = look_up or assembly.few_threads()
        self._plays = Plays(self.writer, clock, new_id, resume_s=config.session.resume_s)
        self.server = Server(
            self._plays,
            self.writer,
            clock,
            assembly.limits(config),
            lambda sock, peer: PeerCaller(sock, peer, lambda: self._privacy.box, look_up),
            on_change=self._status_line.note,
        )
        self._privacy = Privacy(
            box,
            identity.read_consent(state_dir),
            self.writer,
            self._plays,
            self.server,
            make_box=lambda level: assembly.box(self.config, state_dir, box.root, consent=level),
            state_dir=state_dir,
            run_blocking=run_blocking,
        )
        self._uplink: Uplink | None = None
        self._uplink_scope = trio.CancelScope()
        self._timekeeper = Timekeeper(
            clock,
            self.writer,
            hold_max_s=config.clock.hold_max_s,
            needs_tls=lambda: self.config.collector_url.startswith("https://"),
            ask_collector=self._time_of_collector,
            remember=self._remember_clock,
            let_send=self._let_send,
        )

    async def run(self, players: socket.socket, operators: socket.socket) -> None:
        """Serve until SIGTERM or SIGINT, or until `stop` is called."""
        async with trio.open_nursery() as nursery:
            with trio.open_signal_receiver(*notify.SIGNALS) as signals:
                # Whoever starts us may have held them back until somebody heeds them.
                signal.pthread_sigmask(signal.SIG_UNBLOCK, notify.SIGNALS)
                nursery.start_soon(self._heed, signals)
                await self._open()
                self._privacy.begin()
                await self._start(nursery, operators)
                notify.ready(self._status_line.text())
                _log.info("ready")
                await self.server.serve(players, until=self._stopping, leave_within_s=STOP_S)
                await self._finish()
                notify.status(f"stopped; {self.writer.account().waiting} waiting for the next start")
                nursery.cancel_scope.cancel()

    def stop(self) -> None:
        """End in good order; as SIGTERM does."""
        self._stop_at = min(self._stop_at, trio.current_time())
        self._stopping.set()

    # --- start --------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Open the store and take up what the last run left.  A store that refuses stops nothing."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ask_for_time)
            nursery.start_soon(self._stop_opening, nursery.cancel_scope)
            try:
                checkpoints = await self.writer.on_spool(lambda spool: spool.checkpoints())
            except StoreError as exc:
                _log.error("%s; keeping pings in memory until it can be opened", exc)
            else:
                self._plays.recover(checkpoints, self._clock.now())
            nursery.cancel_scope.cancel()

    async def _ask_for_time(self) -> None:
        """A start that takes long is no failed one: players wait at the socket meanwhile."""
        while True:
            await trio.sleep(ASK_FOR_TIME_EVERY_S)
            notify.extend_timeout(MORE_TIME_S, f"opening the store for {self.writer.flash_busy_s:.0f} s now")

    async def _stop_opening(self, opening: trio.CancelScope) -> None:
        """A stop does not wait for a store that hangs in the kernel."""
        await self._stopping.wait()
        await self._abandon_flash()
        opening.cancel()

    async def _start(self, nursery: trio.Nursery, operators: socket.socket) -> None:
        nursery.start_soon(self.writer.run)
        nursery.start_soon(self._plays.run)
        nursery.start_soon(self._timekeeper.run)
        nursery.start_soon(self._run_uplink)
        nursery.start_soon(network.watch, self._network_changed)
        nursery.start_soon(self._watch_standby)
        nursery.start_soon(self._tidy)
        if notify.is_heard():
            nursery.start_soon(self._status_line.run)
        if (interval_s := notify.watchdog_interval_s()) is not None:
            watchdog = Watchdog(self._loops, lambda: self.writer.flash_busy_s > 0)
            nursery.start_soon(watchdog.run, interval_s, self._feed)
        nursery.start_soon(serving.serve, operators, self._commands())

    async def _run_uplink(self) -> None:
        """Deliver; with other settings after a reload."""
        await self._privacy.wait_known()
        hold_until_s = assembly.hold_backlog_until_s(self.config, self._clock, random.random())
        while True:
            self._uplink = Uplink(
                self.writer,
                assembly.UplinkClock(self._clock),
                assembly.uplink_options(self.config),
                stamp=ping.stamp,
                run_blocking=self._run_blocking,
                hold_backlog_until_s=hold_until_s,
                wall_s=self._wall_s,
                on_change=self._status_line.note,
                may_send=lambda: self._timekeeper.may_send,
                on_out_of_time=self._timekeeper.note_certificate_out_of_time,
                make_transport=self._make_transport,
            )
            with trio.CancelScope() as self._uplink_scope:
                await self._uplink.run()

    def _withdraw(self, is_purged: IsPurged) -> None:
        if self._uplink is not None:
            self._uplink.withdraw(is_purged)

    def _wall_s(self) -> float | None:
        wall_ms = self._clock.now().wall_ms
        return None if wall_ms is None else wall_ms / 1000

    async def _time_of_collector(self) -> CollectorTime:
        if self._uplink is None:
            return CollectorTime(Outcome.NO_ANSWER)
        return await self._uplink.time_of_collector()

    def _let_send(self) -> None:
        if self._uplink is not None:
            self._uplink.look_again()

    async def _watch_standby(self) -> None:
        """After standby the network is new, though perhaps nothing of it looks changed."""
        while True:
            await self._clock.wait_for_wake()
            self._network_changed()

    def _network_changed(self) -> None:
        """What could not be reached may be reached now; connections may be dead without knowing it."""
        _log.debug("the network changed, or the box woke up: trying again within 5 s")
        self._timekeeper.network_changed()
        if self._uplink is not None:
            self._uplink.network_changed()

    async def _remember_clock(self) -> None:
        clock = self._clock
        known = TrustedTime(clock.last_trusted_ms, clock.now().boot_id, clock.proven_offset_ms)
        await self._run_blocking(lambda: trusted_time.keep(self._state_dir, known))

    # --- while it runs ------------------------------------------------------------------------

    async def _heed(self, signals: Any) -> None:
        async for number in signals:
            if number == signal.SIGHUP:
                notify.reloading()
                self._reload()
                notify.ready(self._status_line.text())
            else:
                _log.info("%s: stopping", signal.Signals(number).name)
                notify.stopping()
                self.stop()

    def _reload(self) -> None:
        """Read the configuration again; a bad one is refused and the old one stays."""
        try:
            config = self._read_config()
        except ConfigError as exc:
            for problem in exc.problems:
                _log.error("%s", problem)
            _log.error("the configuration was not read again; the one from before stays")
            self._status_line.complaint = f"refused to reload: {exc.problems[0]}"
            return
        self._status_line.complaint = ""
        consent, root = self._privacy.consent.level, self._privacy.box.root
        self._privacy.box = assembly.box(config, self._state_dir, root, consent=consent)
        self.server.limits = assembly.limits(config)
        needs_restart = assembly.needs_restart(self.config, config)
        self.config = config
        self._uplink_scope.cancel()
        _log.info("the configuration was read again")
        if needs_restart:
            _log.warning("these settings take effect at the next start: %s", ", ".join(needs_restart))

    async def _tidy(self) -> None:
        """Look the store through once, and drop what is too old once a day."""
        await trio.sleep(CHECK_AFTER_S)
        while True:
            try:
                await self.writer.on_spool(lambda spool: spool.thorough_check())
                wall_ms = self._clock.now().wall_ms
                if wall_ms is not None:
                    await self.writer.expire(wall_ms)
                    await self._remember_clock()
            except StoreError as exc:
                _log.warning("the store could not be looked through: %s", exc)
            await self._clock.sleep_until_boot_ms(self._clock.now().boot_ms + EXPIRE_EVERY_MS)

    def _loops(self) -> dict[str, Turning]:
        """What must turn for pings to be stored and delivered."""
        loops: dict[str, Turning] = {"the writer": self.writer}
        return loops if self._uplink is None else loops | {"the uplink": self._uplink}

    def _feed(self) -> None:
        # Ages grow while nothing changes, and this datagram is sent anyway.
        notify.watchdog(self._status_line.text())

    def _line(self) -> str:
        uplink = None if self._uplink is None else self._uplink.status()
        n_players = len(self.server.connections)
        return line(self.writer.account(), self.writer.status(), uplink, self._clock, n_players)

    def _note_store(self, store: StoreStatus) -> None:
        _log_store(store)
        self._status_line.note()

    def _commands(self) -> serving.Commands:
        queue = Queue(self.writer, self._hurry)
        return serving.Commands(
            {"status": self._status, "identity": self._privacy.answer, **queue.answers()},
            {"tap": lambda _request: self._plays.tap.watch()},
        )

    def _hurry(self) -> None:
        if self._uplink is not None:
            self._uplink.network_changed()

    async def _status(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        return status.report(
            account=self.writer.account(),
            store=self.writer.status(),
            clock=self._clock,
            uplink=status.of_uplink(self._uplink),
            server=self.server,
            n_held_plays=self._plays.n_held,
            started_boot_ms=self._started_boot_ms,
        ) | {"consent": self._privacy.as_json()}

    # --- stop ---------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """All that players wrote is on its way to flash: wait for it, but not for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._abandon_flash)
            with trio.move_on_at(self._stop_at + STOP_S) as scope:
                await self.writer.flush()
                try:
                    await self.writer.close()
                except StoreError as exc:
                    _log.warning("%s; what was acknowledged is safe all the same", exc)
            nursery.cancel_scope.cancel()
        self.writer.abandon()
        if scope.cancelled_caught:
            reason = self.writer.status().reason or "it is slow"
            _log.error("flash did not take everything in time: %s", reason)

    async def _abandon_flash(self) -> None:
        """A commit that hangs in the kernel must not keep the process."""
        await trio.sleep_until(self._stop_at + STOP_S)
        self.writer.abandon()
