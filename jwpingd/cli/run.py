"""`jwpingd run`: the daemon itself.

`early` has bound the players' socket by now, where it could; everything else is in here.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jwpingd import notify
from jwpingd.cli import common, footprint, journal
from jwpingd.config import Config, Paths, control_socket, player_socket
from jwpingd.errors import ConfigError, OperatorError
from jwpingd.sockets import listening

if TYPE_CHECKING:
    import argparse

    from jwpingd.cli.early import Bound, Options

EXAMPLE = "jwpingd run --set analytics_id=a17e8PTFFffxLgpVuA4vVw"

_PLAYERS = "player"
"""The name of the players' socket among those that systemd hands us (FileDescriptorName=)."""

Open = tuple[socket.socket, str, Callable[[], socket.socket] | None]
"""What a `Door` is made of, once trio is there: the socket, its place, how to bind it again if it is ours."""

_log = logging.getLogger("jwpingd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration to use."""
    common.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT.  Status 78 for a bad configuration in a shell."""
    return serve(args, None)


def serve(args: argparse.Namespace | Options, bound: Bound | None) -> int:
    """The same, with the players' socket where it is `bound` already."""
    # Held until the daemon heeds them: none that comes while it starts ends it or is lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, notify.SIGNALS)
    try:
        return _run(args, bound)
    except OperatorError:
        _give_up(bound)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, notify.SIGNALS)


def _run(args: argparse.Namespace | Options, bound: Bound | None) -> int:
    journal.log_to(sys.stderr)
    os.umask(0o077)  # What is stored is nobody else's business; sockets get the mode that is configured.
    paths = common.paths(args)
    config = _config_or_wait(lambda: common.load(args).config)
    if config is None:
        return 0
    logging.getLogger("jwpingd").setLevel(config.log.level.upper())
    lock = listening.lock(paths.state_dir)
    try:
        players, operators = _players(config, paths, bound), _operators(paths)
        _serve(config, paths.state_dir, lambda: common.load(args).config, players, operators)
    finally:
        os.close(lock)
    return 0


def _players(config: Config, paths: Paths, bound: Bound | None) -> Open:
    """The players' socket, which systemd may hand us or which is bound already."""
    inherited = notify.inherited_sockets()
    players = inherited.get(_PLAYERS) or next(iter(inherited.values()), None)
    if players is not None:
        players.setblocking(False)
        return players, str(players.getsockname()), None
    path = os.fspath(player_socket(config, paths))
    mode, group = config.socket.mode, config.socket.group

    def bind() -> socket.socket:
        return listening.bind(path, mode=mode, group=group)

    if bound is not None and bound.place == (path, mode, group):
        players = socket.socket(fileno=bound.descriptor)
        players.setblocking(False)
    else:
        _give_up(bound)
        players = bind()
    _log.info("players connect to '%s'", path)
    return players, path, bind


def _operators(paths: Paths) -> Open:
    """The operators' socket."""
    path = os.fspath(control_socket(paths))

    def bind() -> socket.socket:
        return listening.bind(path, mode=0o600, group=None)

    return bind(), path, bind


def _give_up(bound: Bound | None) -> None:
    if bound is not None:
        bound.give_up()


def _serve(
    config: Config,
    state_dir: Path,
    read_config: Callable[[], Config],
    players: Open,
    operators: Open,
) -> None:
    footprint.keep_small()
    import trio

    from jwpingd.daemon import Daemon, assembly, threads
    from jwpingd.sockets.door import Door

    gc.freeze()  # What was imported stays: a collection need not look through it while players wait.
    gc.enable()
    daemon = Daemon(
        config,
        state_dir,
        read_config=read_config,
        clock=assembly.clock(config, state_dir),
        box=assembly.box(config, state_dir),
    )
    trio.run(lambda: daemon.run(Door(*players), Door(*operators)))
    if threads.is_any_at_work():
        os._exit(0)


def _config_or_wait(load: Callable[[], Config]) -> Config | None:
    """The configuration; None when told to stop before there was a good one.

    Under systemd a bad one is no reason to end: that would be a restart loop, and under socket
    activation a failed socket.  The service waits for SIGHUP and says what is wrong.
    """
    while True:
        try:
            return load()
        except ConfigError as exc:
            if "NOTIFY_SOCKET" not in os.environ:
                raise
            for problem in exc.problems:
                _log.error("%s", problem)
            _log.error("the configuration cannot be used; correct it, then: systemctl reload jwpingd")
            notify.ready(f"bad configuration, waiting for a better one: {exc.problems[0]}")
        if _next_signal() != signal.SIGHUP:
            notify.stopping()
            return None
        notify.reloading()


def _next_signal() -> int:
    """Wait for a signal, and let systemd's watchdog know that waiting is all there is to do."""
    interval_s = notify.watchdog_interval_s()
    if interval_s is None:
        return signal.sigwait(notify.SIGNALS)
    while (got := signal.sigtimedwait(notify.SIGNALS, interval_s)) is None:
        notify.watchdog()
    return got.si_signo
