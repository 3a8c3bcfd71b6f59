"""`jwpingd uninstall`: takes out exactly what `install` put, and nothing that was changed since."""

from __future__ import annotations

import argparse
import os
import shlex

from jwpingd.cli.install import add_root, done, would
from jwpingd.cli.rootfs import RECORD, Record, Rootfs
from jwpingd.errors import OperatorError

EXAMPLE = "jwpingd uninstall --root /srv/image --dry-run"

_STATE = "/var/lib/jwpingd"
_ENABLED = (
    "/etc/systemd/system/multi-user.target.wants/jwpingd.service",
    "/etc/systemd/system/sockets.target.wants/jwpingd.socket",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where."""
    add_root(parser)


def run(args: argparse.Namespace) -> int:
    """Status 0; 1 where nothing was installed."""
    rootfs = Rootfs(args.root)
    record = rootfs.read_record()
    if not record.files:
        raise OperatorError(f"nothing to take out: there is no {rootfs.at(RECORD)}")
    if not args.dry_run:
        _refuse_enabled(rootfs)
    _take_out(rootfs, record, is_dry_run=args.dry_run)
    if args.dry_run:
        print("nothing was done (--dry-run)")
        return 0
    rootfs.remove(RECORD)
    for directory in sorted(record.directories, reverse=True):
        rootfs.remove_directory(directory)
    print(
        f"\n{rootfs.at(_STATE)}, with what waits to be delivered and the box's ids, stays; so does the user"
    )
    return 0


def _take_out(rootfs: Rootfs, record: Record, *, is_dry_run: bool) -> None:
    for path, put in record.files.items():
        there = rootfs.digest(path)
        verdict = "gone" if there is None else "remove" if there == put else "keep"
        why = "  (changed since)" if verdict == "keep" else ""
        if is_dry_run:
            print(would(verdict, rootfs.at(path), why))
            continue
        if verdict == "remove":
            rootfs.remove(path)
        print(done(verdict, rootfs.at(path), why))


def _refuse_enabled(rootfs: Rootfs) -> None:
    """A service whose units are gone would run on, and be missed at the next boot."""
    if not any(os.path.lexists(rootfs.at(path)) for path in _ENABLED):
        return
    how = "--now" if rootfs.is_running_system else f"--root={shlex.quote(str(rootfs.directory))}"
    raise OperatorError(f"it is enabled; first: systemctl {how} disable jwpingd.service jwpingd.socket")
