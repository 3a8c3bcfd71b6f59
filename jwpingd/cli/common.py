"""`--config` and `--set`, for every command that reads the configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from jwpingd import config
from jwpingd.config import Loaded, Paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration to use."""
    group = parser.add_argument_group("configuration")
    group.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file alone (default: where `check` says)"
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one setting, such as --set log.level=debug; may be repeated",
    )


def paths(args: argparse.Namespace) -> Paths:
    """Where things are, with the chosen configuration file."""
    return config.locate(args.config)


def load(args: argparse.Namespace) -> Loaded:
    """Read the configuration, again at every call.  Raises ConfigError with all problems."""
    found = paths(args)
    return config.load(found.config_files, args.set, looked_in=found.looked_in)
