"""`--config` and `--set`, for every command that reads the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jwpingd import config
from jwpingd.config import Loaded, Paths

if TYPE_CHECKING:
    import argparse

    from jwpingd.cli.early import Options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration to use."""
    group = parser.add_argument_group("configuration")
    group.add_argument("--config", metavar="FILE", help="read this file alone (default: where `check` says)")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one setting, such as --set log.level=debug; may be repeated",
    )


def root_directory(text: str) -> Path:
    """The value of --root.  Empty, it would be the working directory: a script's variable that is not set."""
    if text:
        return Path(text)
    from argparse import ArgumentTypeError

    raise ArgumentTypeError("is empty, as of a variable that is not set; the root file system is a directory")


def paths(args: argparse.Namespace | Options) -> Paths:
    """Where things are, with the chosen configuration file."""
    return config.locate(Path(args.config) if args.config else None)


def load(args: argparse.Namespace | Options) -> Loaded:
    """Read the configuration, again at every call.  Raises ConfigError with all problems."""
    found = paths(args)
    return config.load(found.config_files, args.set, looked_in=found.looked_in)
