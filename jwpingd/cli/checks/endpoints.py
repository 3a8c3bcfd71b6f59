"""The sockets: where players and operators connect, and who may."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from jwpingd.cli.checks.section import Section
from jwpingd.config import Config, Paths, SocketSettings, control_socket, player_socket
from jwpingd.errors import OperatorError

_UNIT_DIRS = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_FROM_UNIT = ("path", "mode", "group")
"""The settings that a socket unit decides instead."""

_ANSWERS, _ABSENT, _STALE = "a daemon listens", "not there yet; run makes it", "stale; run replaces it"


def sockets(config: Config, paths: Paths, root: Path = Path("/")) -> Section:
    """Where players and operators connect, and whether the configured users and group exist."""
    try:
        places = {"player socket": player_socket(config, paths), "control socket": control_socket(paths)}
    except OperatorError as exc:
        return Section("sockets", ("what", "path", "state"), failures=(str(exc),))
    states = {name: socket_state(path) for name, path in places.items()}
    return Section(
        "sockets",
        ("what", "path", "state"),
        tuple((name, str(path), states[name]) for name, path in places.items()),
        tuple(_socket_warnings(config.socket, root)),
        (*_unknown_groups(config.socket), *_lost(places["player socket"], states)),
    )


def socket_state(path: Path) -> str:
    """What is at `path`, in words; a listening socket is told by connecting to it."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return "not a socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            client.connect(os.fspath(path))
    except FileNotFoundError:
        return _ABSENT
    except ConnectionRefusedError:
        return _STALE
    except BlockingIOError:
        return "busy: its queue of connections is full"
    except OSError as exc:
        return f"cannot be reached: {exc.strerror}"
    return _ANSWERS


def _lost(path: Path, states: Mapping[str, str]) -> Iterator[str]:
    """A daemon that runs, and whose players find no way to it."""
    if states["control socket"] == _ANSWERS and states["player socket"] in (_ABSENT, _STALE):
        yield f"a daemon runs, but not at {path}: the file was removed, or it has another setting; restart it"


def _socket_warnings(settings: SocketSettings, root: Path) -> Iterator[str]:
    defaults = SocketSettings()
    unit = _socket_unit(root)
    if unit and any(getattr(settings, key) != getattr(defaults, key) for key in _FROM_UNIT):
        yield f"the socket of {unit} wins over socket.path, socket.mode and socket.group"
    for user in settings.allow_users:
        if not user.isdecimal() and not _is_user(user):
            yield f"socket.allow_users: there is no user '{user}' (yet)"


def _unknown_groups(settings: SocketSettings) -> Iterator[str]:
    if settings.group is None or settings.group.isdecimal():
        return
    try:
        grp.getgrnam(settings.group)
    except KeyError:
        yield f"socket.group: there is no group '{settings.group}'"


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _socket_unit(root: Path) -> str:
    """The installed unit that hands us the players' socket; "" where there is none."""
    paths = (root / directory / "jwpingd.socket" for directory in _UNIT_DIRS)
    return next((str(path) for path in paths if os.path.exists(path)), "")
