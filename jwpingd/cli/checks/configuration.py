"""The configuration that holds, where each value comes from, and which files and directories are used."""

from __future__ import annotations

from collections.abc import Sequence

from jwpingd.cli.checks.section import Section
from jwpingd.config import SETTINGS, Config, Loaded, Paths, written, written_setting
from jwpingd.errors import Problem


def effective(loaded: Loaded) -> Section:
    """Every setting that holds, and who set it."""
    rows = [
        (key, written_setting(setting, _value(loaded.config, key)), loaded.origins[key])
        for key, setting in SETTINGS.items()
    ]
    for position, rule in enumerate(loaded.config.apps):
        name = f"apps[{position}]"
        parts: dict[str, str | None] = {f"match.{key}": value for key, value in rule.match.items()}
        parts |= {"id": rule.id, "version": rule.version, "analytics_id": rule.analytics_id}
        rows += [
            (f"{name}.{key}", written(value), loaded.origins[name])
            for key, value in parts.items()
            if value is not None
        ]
    warnings = tuple(str(problem) for problem in loaded.warnings)
    return Section("configuration", ("key", "value", "origin"), tuple(rows), warnings)


def refused(problems: Sequence[Problem]) -> Section:
    """A configuration that cannot be used, with every reason."""
    return Section("configuration", ("key",), failures=tuple(str(problem) for problem in problems))


def places(paths: Paths) -> Section:
    """The files that were read and the directories that will be used."""
    files = [("configuration file", str(file)) for file in paths.config_files]
    sought = [("looked for", str(place)) for place in paths.looked_in if not files]
    directories = [("state directory", str(paths.state_dir)), ("runtime directory", str(paths.runtime_dir))]
    return Section("paths", ("what", "path"), (*files, *sought, *directories))


def _value(config: Config, dotted: str) -> object:
    value: object = config
    for part in dotted.split("."):
        value = getattr(value, part)
    return value
