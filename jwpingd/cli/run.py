"""`jwpingd run`: the daemon itself.

The socket is bound before anything heavy is imported, so that a player that starts with the box finds
it: the kernel holds connections and lines until they are read.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from jwpingd import notify, sockets
from jwpingd.cli import common
from jwpingd.config import Config, Paths, control_socket, player_socket
from jwpingd.errors import ConfigError

EXAMPLE = "jwpingd run --set analytics_id=a17e8PTFFffxLgpVuA4vVw"

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

_log = logging.getLogger("jwpingd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration to use."""
    common.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT.  Status 78 for a bad configuration in a shell."""
    _log_to_stderr()
    os.umask(0o077)  # What is stored is nobody else's business; sockets get the mode that is configured.
    paths = common.paths(args)
    config = _config_or_wait(lambda: common.load(args).config)
    if config is None:
        return 0
    logging.getLogger("jwpingd").setLevel(config.log.level.upper())
    lock = sockets.lock(paths.state_dir)
    try:
        players, operators = _listen(config, paths)
        _serve(config, paths.state_dir, lambda: common.load(args).config, players, operators)
    finally:
        os.close(lock)
    return 0


def _listen(config: Config, paths: Paths) -> tuple[socket.socket, socket.socket]:
    """The players' socket, which systemd may hand us, and the operators'."""
    inherited = notify.inherited_sockets()
    players = next(iter(inherited.values()), None)
    if players is None:
        path = player_socket(config, paths)
        players = sockets.bind(path, mode=config.socket.mode, group=config.socket.group)
        _log.info("players connect to '%s'", path)
    players.setblocking(False)
    return players, sockets.bind(control_socket(paths), mode=0o600, group=None)


def _serve(
    config: Config,
    state_dir: Path,
    read_config: Callable[[], Config],
    players: socket.socket,
    operators: socket.socket,
) -> None:
    import trio

    from jwpingd.daemon import Daemon, assembly

    daemon = Daemon(
        config,
        state_dir,
        read_config=read_config,
        clock=assembly.clock(config, state_dir),
        box=assembly.box(config, state_dir),
    )
    trio.run(lambda: daemon.run(players, operators, on_ready=_say_ready))


def _say_ready() -> None:
    notify.send("READY=1", "STATUS=running")
    _log.info("ready")


def _config_or_wait(load: Callable[[], Config]) -> Config | None:
    """The configuration; None when told to stop before there was a good one.

    Under systemd a bad one is no reason to end: that would be a restart loop, and under socket
    activation a failed socket.  The service waits for SIGHUP and says what is wrong.
    """
    handled = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    while True:
        try:
            return load()
        except ConfigError as exc:
            if "NOTIFY_SOCKET" not in os.environ:
                raise
            signal.pthread_sigmask(signal.SIG_BLOCK, handled)
            for problem in exc.problems:
                _log.error("%s", problem)
            _log.error("the configuration cannot be used; correct it and reload (SIGHUP)")
            notify.send("READY=1", f"STATUS=bad configuration: {exc.problems[0]}")
        is_reload = signal.sigwait(handled) == signal.SIGHUP
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handled)
        if not is_reload:
            return None


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_ForJournal() if "JOURNAL_STREAM" in os.environ else _ForPeople())
    logging.getLogger("jwpingd").addHandler(handler)
    logging.getLogger("jwpingd").setLevel(logging.INFO)


class _ForJournal(logging.Formatter):
    """With the priority in front, as sd-daemon(3) reads it; the journal knows time and name."""

    def format(self, record: logging.LogRecord) -> str:
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{record.getMessage()}"


class _ForPeople(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"jwpingd: {record.levelname.lower()}: {record.getMessage()}"
