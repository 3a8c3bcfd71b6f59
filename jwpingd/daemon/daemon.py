"""The life of the process: start, run, reload, stop."""

from __future__ import annotations

import logging
import random
import secrets
import signal
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import trio

from jwpingd import identity, network, notify, ping
from jwpingd.clock import Clock
from jwpingd.config import Config
from jwpingd.control import serving
from jwpingd.daemon import assembly, doors, status, store_life, threads, trusted_time
from jwpingd.daemon.box import Box
from jwpingd.daemon.caller import PeerCaller
from jwpingd.daemon.delivery import Delivery
from jwpingd.daemon.no_room import NoRoom
from jwpingd.daemon.privacy import Privacy
from jwpingd.daemon.queue import Queue
from jwpingd.daemon.status_line import StatusLine, line
from jwpingd.daemon.store_life import STOP_S, Stop
from jwpingd.daemon.timekeeper import Timekeeper
from jwpingd.daemon.trusted_time import TrustedTime
from jwpingd.daemon.watchdog import Turning, Watchdog
from jwpingd.errors import ConfigError
from jwpingd.server import Plays, Server
from jwpingd.sockets.door import Door
from jwpingd.spool import Checkpoint, Spool
from jwpingd.uplink import Uplink
from jwpingd.uplink.connections import MakeTransport
from jwpingd.writer import RunBlocking, StoreStatus, Writer

_log = logging.getLogger("jwpingd")

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
        run_blocking: RunBlocking = threads.run_in_thread,
        look_up: RunBlocking | None = None,
        make_transport: MakeTransport | None = None,
    ) -> None:
        self.config = self._config_at_start = config
        self._state_dir = state_dir
        self._read_config = read_config
        self._clock = clock
        self._run_blocking = run_blocking
        self._make_transport = make_transport
        self._hold_backlog_until_s: float | None = None
        self._started_boot_ms = clock.now().boot_ms
        self._has_begun = False  # whether players are served already
        self._stop = Stop()
        self._status_line = StatusLine(self._line, notify.status)
        self.writer = self._make_writer()
        self._no_room = NoRoom(lambda: clock.now().boot_ms, self._what_is_full)
        look_up = look_up or threads.few_threads()
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
        self._delivery = Delivery(self._make_uplink, self._privacy.wait_known)
        self._timekeeper = self._make_timekeeper()

    async def run(self, players: Door, operators: Door) -> None:
        """Serve until SIGTERM or SIGINT, or until `stop` is called."""
        async with trio.open_nursery() as nursery:
            with trio.open_signal_receiver(*notify.SIGNALS) as signals:
                # Whoever starts us may have held them back until somebody heeds them.
                signal.pthread_sigmask(signal.SIG_UNBLOCK, notify.SIGNALS)
                nursery.start_soon(self._heed, signals)
                await store_life.open_store(self.writer, self._stop)
                self._has_begun = True
                self._privacy.begin()
                await self._start(nursery, operators)
                for door in (players, operators):
                    nursery.start_soon(doors.keep_open, door)
                notify.ready(self._status_line.text())
                _log.info("ready")
                await self.server.serve(players, until=self._stop.event, leave_within_s=STOP_S)
                await store_life.close(self.writer, self._stop)
                self._no_room.end(self.writer.n_dropped_full)
                notify.status(f"stopped; {self.writer.account().waiting} waiting for the next start")
                nursery.cancel_scope.cancel()

    def stop(self) -> None:
        """End in good order; as SIGTERM does."""
        self._stop.begin()

    # --- start --------------------------------------------------------------------------------

    def _make_writer(self) -> Writer:
        limits, state_dir = assembly.spool_limits(self.config), self._state_dir
        return Writer(
            lambda: Spool.open(state_dir, limits, fold=ping.fold),
            self._run_blocking,
            fold=ping.fold,
            memory_max=self.config.spool.memory_max,
            max_batch_bytes=limits.max_batch_bytes,
            on_change=self._note_store,
            on_commit=self._note_commit,
            on_purge=lambda is_purged: self._delivery.withdraw(is_purged),
            on_repair=lambda what: _log.warning("%s", what),
            on_open=self._recover,
        )

    def _make_timekeeper(self) -> Timekeeper:
        return Timekeeper(
            self._clock,
            self.writer,
            hold_max_s=self.config.clock.hold_max_s,
            needs_tls=lambda: self.config.collector_url.startswith("https://"),
            ask_collector=self._delivery.time_of_collector,
            remember=self._remember_clock,
            let_send=self._delivery.look_again,
        )

    def _recover(self, left_behind: Sequence[Checkpoint]) -> None:
        """The store is open for the first time; if flash refused at the start, that is late."""
        self._no_room.begin(self.writer.n_dropped_full)
        self._plays.recover(left_behind, self._clock.now(), is_late=self._has_begun)

    async def _start(self, nursery: trio.Nursery, operators: Door) -> None:
        nursery.start_soon(self.writer.run)
        nursery.start_soon(self._plays.run)
        nursery.start_soon(self._timekeeper.run)
        nursery.start_soon(self._delivery.run)
        nursery.start_soon(network.watch, self._network_changed)
        nursery.start_soon(self._watch_standby)
        nursery.start_soon(store_life.look_after, self.writer, self._clock, self._remember_clock)
        if notify.is_heard():
            nursery.start_soon(self._status_line.run)
        if (interval_s := notify.watchdog_interval_s()) is not None:
            watchdog = Watchdog(self._loops, lambda: self.writer.flash_busy_s > 0)
            nursery.start_soon(watchdog.run, interval_s, self._feed)
        nursery.start_soon(serving.serve, operators, self._commands())

    def _make_uplink(self) -> Uplink:
        if self._hold_backlog_until_s is None:  # It is the start that is spread, not every reload.
            fraction = random.random()
            self._hold_backlog_until_s = assembly.hold_backlog_until_s(self.config, self._clock, fraction)
        return Uplink(
            self.writer,
            assembly.UplinkClock(self._clock),
            assembly.uplink_options(self.config),
            stamp=ping.stamp,
            run_blocking=self._run_blocking,
            hold_backlog_until_s=self._hold_backlog_until_s,
            wall_s=self._wall_s,
            on_change=self._status_line.note,
            may_send=lambda: self._timekeeper.may_send,
            on_out_of_time=self._timekeeper.note_certificate_out_of_time,
            make_transport=self._make_transport,
        )

    def _wall_s(self) -> float | None:
        wall_ms = self._clock.now().wall_ms
        return None if wall_ms is None else wall_ms / 1000

    async def _watch_standby(self) -> None:
        """After standby the network is new, though perhaps nothing of it looks changed."""
        while True:
            await self._clock.wait_for_wake()
            self._network_changed()

    def _network_changed(self) -> None:
        _log.debug("the network changed, or the box woke up: trying again within 5 s")
        self._timekeeper.network_changed()
        self._delivery.hurry()

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
        before = self._privacy.box
        box = assembly.box(config, self._state_dir, before.root, consent=self._privacy.consent.level)
        self._privacy.box = box._replace(
            device=before.device.again(config), unknown_apps=before.unknown_apps.again()
        )
        self.server.limits = assembly.limits(config)
        needs_restart = assembly.needs_restart(self._config_at_start, config)
        self.config = config
        self._delivery.restart()
        _log.info("the configuration was read again")
        if needs_restart:
            _log.warning("these settings take effect at the next start: %s", ", ".join(needs_restart))

    def _loops(self) -> dict[str, Turning]:
        """What must turn for pings to be stored and delivered."""
        loops: dict[str, Turning] = {"the writer": self.writer}
        uplink = self._delivery.uplink
        return loops if uplink is None else loops | {"the uplink": uplink}

    def _feed(self) -> None:
        # Ages grow while nothing changes, and this datagram is sent anyway.
        notify.watchdog(self._status_line.text())

    def _line(self) -> str:
        n_players = len(self.server.connections)
        uplink = self._delivery.status()
        return line(self.writer.account(), self.writer.status(), uplink, self._clock, n_players)

    def _note_store(self, store: StoreStatus) -> None:
        _log_store(store)
        self._status_line.note()

    def _note_commit(self) -> None:
        self._no_room.note(self.writer.n_dropped_full)
        self._status_line.note()

    def _what_is_full(self) -> str:
        if self.writer.status().reason:
            return "flash refuses, and memory has all that it may keep (spool.memory_max)"
        return "the store is full (spool.max_bytes)"

    def _commands(self) -> serving.Commands:
        queue = Queue(self.writer, self._delivery.hurry)
        return serving.Commands(
            {"status": self._status, "identity": self._privacy.answer, **queue.answers()},
            {"tap": lambda _request: self._plays.tap.watch()},
        )

    async def _status(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        return status.report(
            account=self.writer.account(),
            store=self.writer.status(),
            clock=self._clock,
            uplink=status.of_uplink(self._delivery.status()),
            server=self.server,
            n_held_plays=self._plays.n_held,
            n_unknown_apps=self._privacy.box.unknown_apps.n_items,
            started_boot_ms=self._started_boot_ms,
        ) | {"consent": self._privacy.as_json()}
