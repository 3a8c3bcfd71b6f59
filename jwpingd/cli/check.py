"""`jwpingd check`: the configuration and all that the daemon will find when it starts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from jwpingd import platforms
from jwpingd.cli import common
from jwpingd.cli.checks import box, configuration
from jwpingd.cli.checks.collector import collector
from jwpingd.cli.checks.consent import consent
from jwpingd.cli.checks.directory import state_directory
from jwpingd.cli.checks.endpoints import sockets
from jwpingd.cli.checks.evidence import evidence
from jwpingd.cli.checks.section import Section
from jwpingd.config import Loaded, Paths, SpoolSettings
from jwpingd.errors import ConfigError
from jwpingd.plural import counted

EXAMPLE = "jwpingd check --set log.level=debug --offline"

_INDENT, _GAP = "  ", "  "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration, and what to leave out."""
    common.add_arguments(parser)
    parser.add_argument("--offline", action="store_true", help="do not ask the collector")
    parser.add_argument("--json", action="store_true", help="everything as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Status 78 when the configuration cannot be used, 1 when something else fails; warnings are 0."""
    paths = common.paths(args)
    try:
        loaded = common.load(args)
    except ConfigError as exc:
        sections = [configuration.refused(exc.problems), *_without_configuration(paths)]
        status = exc.exit_status
    else:
        sections = list(_with_configuration(loaded, paths, is_offline=args.offline))
        status = 1 if any(section.failures for section in sections) else 0
    print(_as_json(sections, status) if args.json else _for_people(sections))
    return status


def _with_configuration(loaded: Loaded, paths: Paths, *, is_offline: bool) -> Iterator[Section]:
    config = loaded.config
    yield configuration.effective(loaded)
    yield configuration.places(paths)
    yield box.device(platforms.detect(Path("/")), config.device.os)
    yield box.clock(config)
    yield state_directory(paths.state_dir, config.spool.max_bytes)
    yield consent(paths.state_dir, config)
    yield sockets(config, paths)
    yield evidence(config, paths.state_dir)
    yield collector(config, is_asked=not is_offline)


def _without_configuration(paths: Paths) -> Iterator[Section]:
    yield configuration.places(paths)
    yield box.device(platforms.detect(Path("/")))
    yield state_directory(paths.state_dir, SpoolSettings().max_bytes)


def _as_json(sections: Sequence[Section], status: int) -> str:
    def one(section: Section) -> dict[str, object]:
        rows = [dict(zip(section.columns, row, strict=True)) for row in section.rows]
        return {"rows": rows, "warnings": section.warnings, "failures": section.failures}

    answer = {"status": status, "sections": {section.title: one(section) for section in sections}}
    return json.dumps(answer, ensure_ascii=False)


def _for_people(sections: Sequence[Section]) -> str:
    lines = [line for section in sections for line in _section_lines(section)]
    return "\n".join([*lines, _conclusion(sections)])


def _section_lines(section: Section) -> Iterator[str]:
    yield section.title
    widths = [max(map(len, column)) for column in zip(*section.rows, strict=True)]
    for row in section.rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield (_INDENT + _GAP.join(cells)).rstrip()
    yield from (f"{_INDENT}warning: {warning}" for warning in section.warnings)
    yield from (f"{_INDENT}FAILED: {failure}" for failure in section.failures)
    yield ""


def _conclusion(sections: Sequence[Section]) -> str:
    n_failures = sum(len(section.failures) for section in sections)
    n_warnings = sum(len(section.warnings) for section in sections)
    verdict = "ok" if not n_failures else f"not ok: {counted(n_failures, 'failure')}"
    return verdict + (f", {counted(n_warnings, 'warning')}" if n_warnings else "")
