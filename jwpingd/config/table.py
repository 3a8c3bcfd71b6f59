"""The settings as rows, read from the sections: for whoever goes through all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from jwpingd.config.kinds import Kind
from jwpingd.config.sections import SECTIONS, About, AppRule, Config

NEEDED = object()
"""Stands for the default of a setting that has none."""


class Setting(NamedTuple):
    """One setting.  `section` is "" for the two that stand before all sections, "apps" for a rule's.

    `default` is None where the setting is not set by default, and NEEDED where it must be given.
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
        return self.default is NEEDED


def _rows(section: str, its_class: Any) -> Iterable[Setting]:
    for name, annotation in its_class.__annotations__.items():
        (about, *_) = getattr(annotation, "__metadata__", (None,))
        if isinstance(about, About):
            default = its_class._field_defaults.get(name, NEEDED)
            yield Setting(section, name, default, about.kind, about.comment, about.unit, about.example)


_CLASSES: dict[str, Any] = {"": Config, **SECTIONS}

BY_SECTION = {
    section: {setting.key: setting for setting in _rows(section, its_class)}
    for section, its_class in _CLASSES.items()
}
"""Section → key → setting, in the order of the file; "" is what stands before all sections."""

SETTINGS = {setting.dotted: setting for rows in BY_SECTION.values() for setting in rows.values()}
"""Dotted key → setting."""

APP_SETTINGS = {setting.key: setting for setting in _rows("apps", AppRule)}
"""Key → setting of one `[[apps]]` entry; `match` is not among them."""
