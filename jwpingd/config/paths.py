"""Where things are: configuration files, the state directory, the directory of the sockets.

systemd's variables win wherever they are set; then root's usual places, for root; then the
user's own, as platformdirs knows them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jwpingd.config.kinds import MAX_SOCKET_PATH_BYTES
from jwpingd.config.sections import Config
from jwpingd.errors import ConfigError, OperatorError, Problem

ETC = Path("/etc/jwpingd")
_ROOTS_STATE = Path("/var/lib/jwpingd")
_ROOTS_RUNTIME = Path("/run/jwpingd")


class Paths(NamedTuple):
    """`config_files` are to be read in order, later ones win; `looked_in` is where they were sought."""

    config_files: tuple[Path, ...]
    state_dir: Path
    runtime_dir: Path
    looked_in: tuple[Path, ...] = ()


def locate(
    config_file: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    uid: int | None = None,
    etc: Path = ETC,
) -> Paths:
    """The paths for this user and environment.  With `config_file`, that file is the only one.

    Makes nothing, and does not mind what is missing.
    """
    is_root = (os.geteuid() if uid is None else uid) == 0
    state_dir = _from_variable(environ, "STATE_DIRECTORY") or (_ROOTS_STATE if is_root else None)
    runtime_dir = _from_variable(environ, "RUNTIME_DIRECTORY") or (_ROOTS_RUNTIME if is_root else None)
    files, looked_in = _config_files(_config_dirs(environ, is_root=is_root, etc=etc))
    if config_file is not None:
        files = looked_in = (config_file,)
    return Paths(files, state_dir or _users("state"), runtime_dir or _users("runtime"), looked_in)


def default() -> Paths:
    """The paths for commands that read no configuration."""
    return locate()


def player_socket(config: Config, paths: Paths) -> Path:
    """Where players connect.  Raises ConfigError when the path is longer than a socket's may be."""
    return config.socket.path or _short_enough(paths.runtime_dir / "player.sock")


def control_socket(paths: Paths) -> Path:
    """Where `jwpingd status` and the like connect.  Raises ConfigError like `player_socket`."""
    return _short_enough(paths.runtime_dir / "control.sock")


def _config_dirs(environ: Mapping[str, str], *, is_root: bool, etc: Path) -> tuple[Path, ...]:
    """The directories that may hold the configuration; the first that has a config.toml counts."""
    directory = _from_variable(environ, "CONFIGURATION_DIRECTORY")
    if directory is not None:
        return (directory,)
    if is_root or os.path.exists(etc / "config.toml"):
        return (etc,)
    return (etc, _users("config"))


def _config_files(directories: tuple[Path, ...]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """(the files there are, the places looked in).  conf.d counts only beside the last directory."""
    main = directories[-1] / "config.toml"
    parts = directories[-1] / "conf.d"
    files = [main] if os.path.lexists(main) else []
    files += _part_files(parts)
    places = [directory / "config.toml" for directory in directories]
    return tuple(files), (*places, parts / "*.toml")


def _part_files(directory: Path) -> list[Path]:
    """By name.  Raises ConfigError where there are some that cannot be seen: they might matter."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as exc:
        if isinstance(exc, NotADirectoryError) and not os.path.lexists(directory):
            return []  # A parent is no directory: so there is nothing at all.
        message = f"cannot be read: {exc.strerror}; change that, or name a file with --config"
        raise ConfigError([Problem(str(directory), 0, "directory", "", message)]) from exc
    return sorted(directory / name for name in names if _is_part(name))


def _from_variable(environ: Mapping[str, str], name: str) -> Path | None:
    """The first directory that the variable names (systemd joins several with a colon)."""
    first = environ.get(name, "").partition(":")[0]
    return Path(first).absolute() if first else None


def _users(which: str) -> Path:
    # Imported here, because a service has its directories from systemd and starts on slow flash.
    import platformdirs

    name = "jwpingd"
    if which == "config":
        return platformdirs.user_config_path(name)
    if which == "state":
        return platformdirs.user_state_path(name)
    # It warns when it has to fall back to a directory below /tmp; `check` shows which one it is.
    with warnings.catch_warnings(action="ignore"):
        try:
            return platformdirs.user_runtime_path(name)
        except OSError as exc:
            message = f"no directory for the sockets ({exc}); set RUNTIME_DIRECTORY"
            raise OperatorError(message) from exc


def _short_enough(path: Path) -> Path:
    n_bytes = len(os.fsencode(path))
    if n_bytes > MAX_SOCKET_PATH_BYTES:
        message = (
            f"is {n_bytes} bytes long, but the path of a socket may have {MAX_SOCKET_PATH_BYTES}; "
            "set RUNTIME_DIRECTORY to a shorter directory"
        )
        raise ConfigError([Problem("runtime directory", 0, "socket", str(path), message)])
    return path


def _is_part(name: str) -> bool:
    """Whether a file of conf.d counts: `*.toml` as in a shell, without what editors hide there."""
    return name.endswith(".toml") and not name.startswith(".")
