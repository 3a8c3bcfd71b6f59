"""The players' socket, bound before anything heavy is imported.

A player that starts with the box then finds it, and the kernel holds what it writes until it is read:
importing the rest takes ten times as long as this.  Only what is plain is done here, with the least of
the standard library.  Whatever is unusual is left to `run`, which reads the configuration again, with
care, and tells what is wrong with it.

Annotations are evaluated in this file, as in `errors`.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from jwpingd.errors import OperatorError
from jwpingd.sockets import listening

ETC = "/etc/jwpingd"
RUN = "/run/jwpingd"
"""Root's directories where systemd names no others; `config.paths` has the same."""

MODE = 0o660
"""The default of socket.mode."""

_OPTIONS = ("--config", "--set")


class Options(NamedTuple):
    """The options of `run`, as argparse would read them."""

    config: str | None
    set: list[str]


class Place(NamedTuple):
    """Where players connect, and who may."""

    path: str
    mode: int
    group: str | None


class Bound(NamedTuple):
    """A descriptor that listens already."""

    descriptor: int
    place: Place

    def give_up(self) -> None:
        """The configuration says otherwise: nobody may connect here."""
        with suppress(OSError):  # It may have been given up before.
            os.close(self.descriptor)
            os.unlink(self.place.path)


def options(arguments: Sequence[str]) -> Options | None:
    """The command line of `run` if it has nothing but its own options, each with a value; else None."""
    config, overrides, words = None, list[str](), iter(arguments)
    if next(words, "") != "run":
        return None
    for word in words:
        option, separator, value = word.partition("=")
        if option not in _OPTIONS:
            return None
        value = value if separator else next(words, "-")
        if value.startswith("-"):
            return None
        if option == "--set":
            overrides.append(value)
        else:
            config = value
    return Options(config, overrides)


def bind(given: Options, environ: Mapping[str, str] = os.environ) -> Bound | None:
    """The players' socket at its place; None where systemd has it, or where `run` must see to it."""
    if "LISTEN_FDS" in environ:
        return None
    try:
        place = find(given, environ, is_root=os.geteuid() == 0)
        if place is None:
            return None
        return Bound(listening.listen(place.path, mode=place.mode, group=place.group), place)
    except (OSError, ValueError, OperatorError, RecursionError):
        return None


def find(given: Options, environ: Mapping[str, str], *, is_root: bool) -> Place | None:
    """The place that the configuration gives the socket; None where that is not plain.

    Raises OSError or ValueError where the configuration cannot be read.
    """
    found: dict[str, Any] = {"path": None, "mode": MODE, "group": None}
    files = [given.config] if given.config else _files(environ, is_root=is_root)
    if files is None:
        return None
    for settings in (*map(_in_file, files), *map(_in_override, given.set)):
        found.update((key, value) for key, value in settings.items() if key in found)
    path = found["path"] or _default_path(environ, is_root=is_root)
    mode, group = _mode(found["mode"]), found["group"]
    if not isinstance(path, str) or type(mode) is not int or not isinstance(group, str | None):
        return None
    return Place(path, mode, group) if path.startswith("/") and path == os.path.normpath(path) else None


def _mode(mode: object) -> object:
    """As a number, where it is a text of octal digits."""
    return int(mode, 8) if isinstance(mode, str) and re.fullmatch("0?[0-7]{3}", mode) else mode


def _files(environ: Mapping[str, str], *, is_root: bool) -> list[str] | None:
    """The files of the configuration in order; None where they are a user's own."""
    directory = environ.get("CONFIGURATION_DIRECTORY") or (ETC if is_root else "")
    if not directory.startswith("/") or ":" in directory:
        return None
    parts = f"{directory}/conf.d"
    names = sorted(os.listdir(parts)) if os.path.isdir(parts) else []
    files = [f"{parts}/{name}" for name in names if name.endswith(".toml") and name[0] != "."]
    main = f"{directory}/config.toml"
    return [main, *files] if os.path.lexists(main) else files


def _default_path(environ: Mapping[str, str], *, is_root: bool) -> str | None:
    directory = environ.get("RUNTIME_DIRECTORY") or (RUN if is_root else "")
    return None if ":" in directory or not directory else f"{directory}/player.sock"


def _in_file(file: str) -> Mapping[str, Any]:
    """What the file says of the socket."""
    if not os.path.isfile(file):
        raise ValueError("a pipe could not be read again, and a device may have no end")
    with open(file, "rb") as stream:
        section = tomllib.load(stream).get("socket", {})
    if not isinstance(section, dict):
        raise ValueError("[socket] is no table")
    return section


def _in_override(override: str) -> Mapping[str, Any]:
    """What `--set` says of the socket.  The value is TOML, or a text as it stands."""
    key, _, text = override.partition("=")
    section, _, name = key.partition(".")
    if section.strip() != "socket":
        return {}
    if name.strip() == "mode" and not text.strip().startswith("0o"):
        raise ValueError("a mode may be written in other ways, which only `run` knows")
    try:
        return {name.strip(): tomllib.loads(f"value = {text}")["value"]}
    except ValueError:
        return {name.strip(): text.strip()}
