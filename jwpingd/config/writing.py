"""Configuration as text: single values for messages and tables, and the whole commented file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

from jwpingd.config.sections import MATCH_KEYS, SECTIONS, AppRule
from jwpingd.config.table import APP_SETTINGS, SETTINGS, Setting

PLACEHOLDER = "…"
"""What the shipped file has for the analytics id; it counts as not set."""

MAX_SHOWN_CHARACTERS = 80  # what keeps a message on one line of a terminal
_CREDENTIALS = r"(?<=://)|(?<![^\s\"'=/\[])[^\s\"'=/\[]+?:(?!//)"
"""Where they begin: behind a scheme; and where that is missing or misspelt, at what has a colon."""

_HEAD = """\
# Configuration of jwpingd, in TOML.  Only analytics_id must be set.
#
# Every other setting stands here with its default, commented out.  Where there is no default,
# the line shows an example.  Files in conf.d/ beside this one are read after it, in order of
# their names, and win key by key.  `jwpingd check` tells what holds in the end, and why.
"""


def written(value: object) -> str:
    """`value` as TOML would have it, on one line, shortened if long, passwords in URLs hidden."""
    shown = _without_credentials(_literal(value))
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else shown[: MAX_SHOWN_CHARACTERS - 1] + "…"


def _without_credentials(text: str) -> str:
    """The same with nothing between their beginning and the last @."""
    before, at, after = text.rpartition("@")
    begin = re.search(_CREDENTIALS, before) if at else None
    return text if begin is None else f"{before[: begin.start()]}…@{after}"


def written_setting(setting: Setting, value: object) -> str:
    """The value of `setting` in the form its users write: the mode in octal, consent as its word."""
    if setting.dotted == "socket.mode" and isinstance(value, int):
        return f'"{value:04o}"'
    return written(value)


def default_toml(analytics_id: str = PLACEHOLDER) -> str:
    """The commented configuration file: every setting, its default, what is allowed, what it is for."""
    return "\n".join([_HEAD, *_setting_lines(_of_section(""), analytics_id), *_section_lines()])


def _section_lines() -> Iterator[str]:
    for section, its_class in SECTIONS.items():
        yield f"# {_summary(its_class)}"
        yield f"[{section}]"
        yield ""
        yield from _setting_lines(_of_section(section))
        if section == "app":
            yield from _rule_lines()


def _rule_lines() -> Iterator[str]:
    yield f"# {_summary(AppRule)}"
    yield "# There may be several such entries; the first that matches counts."
    yield "# Conditions, of which all that are given must hold:"
    yield from (f"#   {key}: {meaning}" for key, meaning in MATCH_KEYS.items())
    yield "#[[apps]]"
    yield '#match = { exe = "/usr/bin/example-kids" }'
    yield ""
    yield from _setting_lines(APP_SETTINGS.values())


def _setting_lines(settings: Iterable[Setting], analytics_id: str = PLACEHOLDER) -> Iterator[str]:
    for setting in settings:
        unit = f", in {setting.unit}" if setting.unit else ""
        yield f"# {setting.comment}"
        yield f"# Allowed: {setting.kind.words}{unit}." + (" Not set by default." if setting.is_unset else "")
        if setting.is_mandatory:
            yield f"{setting.key} = {_literal(analytics_id)}"
        else:
            value = setting.example if setting.is_unset else setting.default
            yield f"#{setting.key} = {written_setting(setting, value)}"
        yield ""


def _of_section(section: str) -> Iterator[Setting]:
    return (setting for setting in SETTINGS.values() if setting.section == section)


def _summary(its_class: type) -> str:
    return (its_class.__doc__ or "").partition("\n")[0]


def _literal(value: object) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, Enum):
        return _literal(value.value)
    if isinstance(value, Path):
        return _literal(str(value))
    if isinstance(value, list | tuple):
        return "[" + ", ".join("[…]" if isinstance(entry, list) else _literal(entry) for entry in value) + "]"
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    # Imported here, because only messages and new files need it and the daemon starts on slow boxes.
    import tomli_w

    try:
        return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")
    except ValueError:
        return "a number of very many digits"  # Python refuses to write more than 4300 digits.
