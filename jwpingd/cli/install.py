"""`jwpingd install`: units, default configuration, user and directories into a root file system.

It works on a running system, on an image that is being built, and from a recipe.  It starts nothing,
asks systemd nothing, and makes no ids: an image may be cloned.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from jwpingd.cli import common
from jwpingd.cli.pieces import CONFIGURATION, PART_FILES, Piece, pieces
from jwpingd.cli.rootfs import RECORD, Record, Rootfs, digest
from jwpingd.errors import OperatorError, UsageError

EXAMPLE = "jwpingd install --root /srv/image --exec /usr/bin/jwpingd --dry-run"

_USUAL_COMMANDS = ("/usr/bin/jwpingd", "/usr/local/bin/jwpingd", "/opt/jwpingd/bin/jwpingd")
"""Where an image may have the program; the first is what the unit starts where there is none yet."""

_PACKAGES = tuple(
    f"{prefix}/lib/python3*/*-packages/jwpingd" for prefix in ("usr", "usr/local", "opt/jwpingd")
)
"""Where the program's modules may be, in a root file system."""

_HIDDEN = {
    "/home": "ProtectHome",
    "/root": "ProtectHome",
    "/run/user": "ProtectHome",
    "/tmp": "PrivateTmp",
    "/var/tmp": "PrivateTmp",
}
"""What the unit's sandbox keeps from the service, and by which setting."""

_REASONS = {"keep": "  (not as it was put, and so yours)", "same": "  (as it is)"}

_DONE = {"put": "put", "remove": "removed", "keep": "kept"}
"""What is to be done with a file → the word for it afterwards."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, what the service is to start, and what to leave out."""
    add_root(parser)
    parser.add_argument(
        "--exec",
        metavar="COMMAND",
        help="what the service starts on the box, an absolute path "
        f"(default: this very program; with another root: what is found there, else {_USUAL_COMMANDS[0]})",
    )
    parser.add_argument(
        "--kernel-clock",
        action="store_true",
        help="let the service ask the kernel whether the clock is set; for boxes without systemd-timesyncd",
    )


def add_root(parser: argparse.ArgumentParser) -> None:
    """What `install` and `uninstall` have in common."""
    parser.add_argument(
        "--root",
        type=common.root_directory,
        default=Path("/"),
        metavar="DIR",
        help="the root file system (default: /)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def run(args: argparse.Namespace) -> int:
    """Status 0 once everything is in place, whether it was before or not."""
    rootfs = Rootfs(args.root)
    command = _checked(args.exec) if args.exec else _detected(rootfs)
    record = rootfs.read_record()
    planned = [
        (piece, _verdict(rootfs, piece, record))
        for piece in pieces(command, has_kernel_clock=args.kernel_clock)
    ]
    if args.dry_run:
        for piece, verdict in planned:
            print(would(verdict, rootfs.at(piece.path), _REASONS.get(verdict, "")))
        print("nothing was done (--dry-run)")
        return 0
    try:
        _put_all(rootfs, planned, record)
    finally:
        rootfs.write_record(record)
    print("\n".join(("", *_next_steps(rootfs, command))))
    return 0


def would(verdict: str, place: Path, why: str) -> str:
    """A line that says what would become of the file at `place`."""
    return f"{f'would {verdict}' if verdict in _DONE else verdict:12}  {place}{why}"


def done(verdict: str, place: Path, why: str) -> str:
    """A line that says what became of it."""
    return f"{_DONE.get(verdict, verdict):7}  {place}{why}"


def _verdict(rootfs: Rootfs, piece: Piece, record: Record) -> str:
    """ "put", "same", or "keep" for a configuration that is not as we put it."""
    there = rootfs.digest(piece.path)
    if there == digest(piece.content):
        return "same"
    if piece.is_operators and there is not None and there != record.files.get(piece.path):
        return "keep"
    return "put"


def _put_all(rootfs: Rootfs, planned: list[tuple[Piece, str]], record: Record) -> None:
    for piece, verdict in planned:
        if verdict == "put":
            record.directories.update(rootfs.write(piece.path, piece.content))
        if verdict != "keep":
            record.files[piece.path] = digest(piece.content)
        print(done(verdict, rootfs.at(piece.path), _REASONS.get(verdict, "")))
    record.directories.update(rootfs.make_directory(PART_FILES))


def _next_steps(rootfs: Rootfs, command: str) -> Iterator[str]:
    """What is left to do, as commands."""
    program = command.partition(" ")[0]
    if not program.startswith('"') and not os.path.lexists(rootfs.at(program)):
        yield f"the service starts {program}, which is not there yet; another program: --exec COMMAND"
    yield f"set analytics_id in {rootfs.at(CONFIGURATION)}; players must be in the group jwping-players"
    if rootfs.is_running_system:
        yield "then: systemd-sysusers && systemctl daemon-reload && systemctl enable --now jwpingd"
    else:
        root = f"--root={shlex.quote(str(rootfs.directory))}"
        yield f"then: systemd-sysusers {root} && systemctl {root} enable jwpingd"
    for package in _without_bytecode(rootfs):
        yield f"no bytecode, so each start takes three times as long: python3 -m compileall -q {package}"
    yield f"what was put is in {rootfs.at(RECORD)}, for `jwpingd uninstall`"


def _without_bytecode(rootfs: Rootfs) -> Iterator[str]:
    """Where this program is in the root file system, if it was never compiled there."""
    for pattern in _PACKAGES:
        for package in rootfs.directory.glob(pattern):
            if not any(package.glob("__pycache__/*.pyc")):
                yield shlex.quote(str(package))


# --- what the service is to start -----------------------------------------------------------------


def _checked(command: str) -> str:
    if not command.startswith("/"):
        raise UsageError(f"--exec {command}: not an absolute path, such as {_USUAL_COMMANDS[0]}")
    if "\n" in command:
        raise UsageError("--exec: a unit file has no place for a line break")
    return command


def _detected(rootfs: Rootfs) -> str:
    if rootfs.is_running_system:
        return _this_program()
    for path in _USUAL_COMMANDS:
        if os.path.lexists(rootfs.at(path)):
            return path
    return _USUAL_COMMANDS[0]


def _this_program() -> str:
    """How this process was started, as a service can start it too."""
    program = Path(sys.argv[0]).absolute()
    for path in (program.resolve(), Path(sys.executable).resolve()):
        _refuse_hidden(path)
    if program.name == "__main__.py":
        return f"{_word(sys.executable)} -m jwpingd"
    if program.suffix == ".py" or not os.access(program, os.X_OK):
        return f"{_word(sys.executable)} {_word(program)}"
    return _word(program)


def _word(path: Path | str) -> str:
    """A path as one word of ExecStart= (systemd.syntax(7))."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if escaped != str(path) or set(escaped) & set(" \t'") else escaped


def _refuse_hidden(path: Path) -> None:
    for directory, setting in _HIDDEN.items():
        if path.is_relative_to(directory):
            raise OperatorError(
                f"the service cannot run {path}: {setting}= hides {directory} from it; install jwpingd "
                "elsewhere, such as in /opt/jwpingd, or name another program with --exec"
            )
