"""The settings as rows, read from the sections: for whoever goes through all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import MISSING, dataclass

from jwpingd.config.kinds import Kind
from jwpingd.config.sections import SECTIONS, About, AppRule, Config


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.  `section` is "" for the two that stand before all sections, "apps" for a rule's.

    `default` is None where the setting is not set by default, and MISSING where it must be given.
    """

    section: str
    key: str
    default: object
    kind: Kind
    comment: str
    unit: str
    example: object

    @property
    def dotted(self) -> str:
        """The name by which `--set` and messages call it."""
        return f"{self.section}.{self.key}" if self.section else self.key

    @property
    def is_unset(self) -> bool:
        """Whether the default is to have no value."""
        return self.default is None

    @property
    def is_mandatory(self) -> bool:
        """Whether there is no default."""
        return self.default is MISSING


def _rows(section: str, its_class: type) -> Iterable[Setting]:
    annotations = its_class.__annotations__
    for part in dataclasses.fields(its_class):
        (about, *_) = getattr(annotations[part.name], "__metadata__", (None,))
        if isinstance(about, About):
            row = (about.kind, about.comment, about.unit, about.example)
            yield Setting(section, part.name, part.default, *row)


_CLASSES: dict[str, type] = {"": Config, **SECTIONS}

BY_SECTION = {
    section: {setting.key: setting for setting in _rows(section, its_class)}
    for section, its_class in _CLASSES.items()
}
"""Section → key → setting, in the order of the file; "" is what stands before all sections."""

SETTINGS = {setting.dotted: setting for rows in BY_SECTION.values() for setting in rows.values()}
"""Dotted key → setting."""

APP_SETTINGS = {setting.key: setting for setting in _rows("apps", AppRule)}
"""Key → setting of one `[[apps]]` entry; `match` is not among them."""
