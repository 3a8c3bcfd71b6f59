"""The command `jwpingd`: one module per subcommand, imported only when it is the one to run.

A subcommand's module has `add_arguments(parser)`, `run(args) -> int` (the exit status) and EXAMPLE,
a command line that works.  Exit status: 0 ok, 2 usage, 78 configuration, 130 interrupted, 1 else.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from jwpingd import __version__, interrupt
from jwpingd.cli import streams
from jwpingd.errors import ConfigError, OperatorError

if TYPE_CHECKING:
    import argparse

COMMANDS = {
    "run": "the daemon",
    "demo": "everything at once on this machine: collector, daemon, player, bad days",
    "init": "a commented configuration to start from",
    "check": "the configuration and all that the daemon will find when it starts",
    "device": "what pings say of this box, and where each value was found",
    "status": "what the running daemon says of itself",
    "tap": "what players write and what is made of it, live",
    "queue": "what waits, what was set aside, and what to do about it",
    "identity": "the ids of this box, and whether it tells of its users",
    "attach": "tells the daemon what a player shows that knows nothing of it, such as mpv",
    "play": "a simulated player for a real socket",
    "replay": "event logs to pings, in virtual time; nothing is sent",
    "collector": "a local collector that checks every ping and totals them",
    "install": "the service with its units and configuration into a root file system",
    "uninstall": "what install put, out again",
}
"""Subcommand → one line of help.  The module of the same name does it."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_OK, _ELSE, _USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return the exit status; every error is told in words on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    streams.prepare()
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BaseException as exc:
        status = _told(exc)
    streams.forget_unwritten()
    return status


def _run(arguments: Sequence[str]) -> int:
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    if name == "run" and (status := _run_service(arguments)) is not None:
        return status
    import importlib

    module = importlib.import_module(f"jwpingd.cli.{name}") if name in COMMANDS else None
    try:
        args = parser(name, module).parse_args(arguments)
    except SystemExit as exc:  # --help, --version, or a mistake; argparse has told it
        return _USAGE if exc.code else _OK
    assert module is not None, "argparse refuses what is not in COMMANDS"
    run: Callable[[argparse.Namespace], int] = module.run
    with interrupt.heard():
        return run(args)


def _run_service(arguments: Sequence[str]) -> int | None:
    """`run` as a service has it: the socket first, and no argparse; None where that needs more care."""
    from jwpingd.cli import early

    options = early.options(arguments)
    if options is None:
        return None
    bound = early.bind(options)
    # Importing makes hardly any garbage, and looking for it takes a twelfth of the time.
    gc.disable()
    from jwpingd.cli import run

    return run.serve(options, bound)


def parser(name: str, module: ModuleType | None) -> argparse.ArgumentParser:
    """All commands by their names and help, and the one called `name` with its arguments."""
    # Imported here, because a service is started without it.
    import argparse

    whole = argparse.ArgumentParser(
        prog="jwpingd",
        description="Turns player events on a TV box into JW Player OTT pings and delivers every one.",
        epilog="jwpingd COMMAND --help tells more, with an example.",
    )
    whole.add_argument("--version", action="version", version=f"jwpingd {__version__}")
    if name and name not in COMMANDS:
        whole.error(f"there is no command '{name}'{_nearest(name)}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command, line in COMMANDS.items():
        one = commands.add_parser(
            command, help=line, description=f"{line[0].upper()}{line[1:]}.", allow_abbrev=False
        )
        if command == name and module is not None:
            one.formatter_class = argparse.RawDescriptionHelpFormatter
            one.epilog = f"example:\n  {module.EXAMPLE}"
            module.add_arguments(one)
    return whole


def _nearest(name: str) -> str:
    # Imported here, because only a slip needs it.
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(COMMANDS)}"


def _told(exc: BaseException) -> int:
    """Tell what went wrong, and the exit status that goes with it."""
    leaves = _leaves(exc)
    if all(isinstance(leaf, BrokenPipeError) for leaf in leaves):
        streams.give_up_output()  # Whoever read it has had enough.
        return _ELSE
    if all(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return interrupt.STATUS
    for leaf in leaves:
        if isinstance(leaf, OperatorError):
            streams.tell(_in_words(leaf))
            return leaf.exit_status
        if isinstance(leaf, OSError) and leaf.errno in _NO_ROOM:
            streams.give_up_output()
            streams.tell(f"jwpingd: cannot write: {leaf.strerror}; make room and try again")
            return _ELSE
    return _internal_error(exc, leaves[0])


def _leaves(exc: BaseException) -> list[BaseException]:
    """What a nursery has wrapped in groups, or the exception itself."""
    if not isinstance(exc, BaseExceptionGroup):
        return [exc]
    return [leaf for part in exc.exceptions for leaf in _leaves(part)]


def _in_words(error: OperatorError) -> str:
    if not isinstance(error, ConfigError) or len(error.problems) == 1:
        return f"jwpingd: {error}"
    problems = "".join(f"\n  {problem}" for problem in error.problems)
    return f"jwpingd: {len(error.problems)} problems in the configuration:{problems}"


def _internal_error(exc: BaseException, leaf: BaseException) -> int:
    if os.environ.get("JWPINGD_TRACEBACK") == "1":
        import traceback

        traceback.print_exception(exc)
        return _ELSE
    what = f"{type(leaf).__name__}: {leaf}".rstrip(": ")
    streams.tell(f"jwpingd: internal error: {what}; run with JWPINGD_TRACEBACK=1 to see where")
    return _ELSE
