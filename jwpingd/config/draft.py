"""A configuration in the making: takes documents one after another and collects every problem."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jwpingd.config.documents import Document, Origin
from jwpingd.config.nearest import instead_of_key, instead_of_value
from jwpingd.config.places import Path
from jwpingd.config.sections import MATCH_KEYS, MATCH_VALUE, SECTIONS, AppRule, Config
from jwpingd.config.table import APP_SETTINGS, BY_SECTION, SETTINGS, Setting
from jwpingd.config.writing import PLACEHOLDER, written
from jwpingd.errors import Problem

DEFAULT = Origin("default")
"""The origin of a value that nobody set."""


class Draft:
    """`values` holds what was set and is valid; `origins` where each value comes from, defaults too."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = dict.fromkeys(SETTINGS, DEFAULT)
        self.rules: list[AppRule] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def take(self, document: Document) -> None:
        """Add what the document sets; it wins over what is there, key by key."""
        for key, raw in document.values.items():
            if key == "apps":
                self._take_rules(document, raw)
            elif key in SECTIONS:
                self._take_section(document, key, raw)
            else:
                self._take_setting(document, "", key, raw)

    def value(self, dotted: str) -> Any:
        """What holds for a setting as things stand: the value that was set, or the default."""
        return self.values.get(dotted, SETTINGS[dotted].default)

    def config(self) -> Config:
        """The configuration.  To be asked for only when there are no problems."""
        sections: dict[str, Any] = {
            section: its_class(**self._values_of(section)) for section, its_class in SECTIONS.items()
        }
        return Config(**self._values_of(""), **sections, apps=tuple(self.rules))

    def problem(self, document: Document, path: Path, raw: object, message: str) -> None:
        """Note a mistake at `path` of the document."""
        self.problems.append(_problem(document, path, raw, message))

    def _values_of(self, section: str) -> dict[str, Any]:
        rows = BY_SECTION[section]
        return {key: self.values[row.dotted] for key, row in rows.items() if row.dotted in self.values}

    def _take_section(self, document: Document, section: str, raw: object) -> None:
        if not isinstance(raw, dict):
            message = f"must be a table: [{section}] on a line of its own, then its settings"
            self.problem(document, (section,), raw, message)
            return
        for key, value in raw.items():
            self._take_setting(document, section, key, value)

    def _take_setting(self, document: Document, section: str, key: str, raw: object) -> None:
        path = (section, key) if section else (key,)
        setting = BY_SECTION[section].get(key)
        if setting is None:
            self.problem(document, path, raw, f"is not a setting; {instead_of_key(section, key)}")
        elif setting.is_mandatory and raw == PLACEHOLDER:
            self.origins[setting.dotted] = document.origin(path)
        else:
            value = self._read(document, path, setting, raw)
            if value is not None:
                self.values[setting.dotted] = value
                self.origins[setting.dotted] = document.origin(path)

    def _read(self, document: Document, path: Path, setting: Setting, raw: object) -> Any:
        """The value in the setting's own type, or None when it is refused."""
        try:
            return setting.kind.take(raw, document.statement(path).text)
        except ValueError:
            hint = instead_of_value(raw, setting.kind.choices)
            self.problem(document, path, raw, f"must be {setting.kind.words}{hint}")
            return None

    def _take_rules(self, document: Document, raw: object) -> None:
        if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
            self.problem(document, ("apps",), raw, "must be a list of tables: [[apps]] before each")
            return
        for position, entry in enumerate(raw):
            self._take_rule(document, ("apps", position), entry)

    def _take_rule(self, document: Document, path: Path, raw: Mapping[str, object]) -> None:
        values: dict[str, Any] = {"match": self._match(document, (*path, "match"), raw.get("match"))}
        for key in raw.keys() - {"match"}:
            if key in APP_SETTINGS:
                values[key] = self._read(document, (*path, key), APP_SETTINGS[key], raw[key])
            else:
                self.problem(
                    document, (*path, key), raw[key], f"is not a setting; {instead_of_key('apps', key)}"
                )
        if raw.keys() == {"match"}:
            message = "changes nothing: give id, version or analytics_id"
            self.warnings.append(_problem(document, path, raw, message))
        self.origins[f"apps[{len(self.rules)}]"] = document.origin(path)
        self.rules.append(AppRule(**values))

    def _match(self, document: Document, path: Path, raw: object) -> Mapping[str, str]:
        if not isinstance(raw, dict) or not raw:
            message = f"must be a table with at least one of {', '.join(MATCH_KEYS)}"
            self.problem(document, path, raw, message)
            return MappingProxyType({})
        for key, value in raw.items():
            if key not in MATCH_KEYS:
                self.problem(
                    document, (*path, key), value, f"is not a condition; {instead_of_key('match', key)}"
                )
            elif not MATCH_VALUE.accepts(value):
                self.problem(document, (*path, key), value, f"must be {MATCH_VALUE.words}")
        return MappingProxyType(raw)


def _problem(document: Document, path: Path, raw: object, message: str) -> Problem:
    line = document.statement(path).line
    value = "" if raw is None else written(raw)
    return Problem(document.name, line, dotted(path), value, message)


def dotted(path: Path) -> str:
    """`path` as people write it: apps[0].match.exe."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{_plain(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def _plain(key: str) -> str:
    return key if key and key.isprintable() and "." not in key else written(key)
