"""The table of limits in docs/operations.md is the program's."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import jwpingd
from jwpingd.config import Config
from jwpingd.spool import Limits
from tests.processes import ANALYTICS_ID

PAGE = (Path(__file__).parent.parent / "docs/operations.md").read_text()
SECTION = PAGE.partition("\n## Limits\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| [^|]+ \| ([0-9.,]+)[^|]* \| `([a-z][A-Za-z_.]*)` \| [^|]+ \|$", SECTION, re.MULTILINE)

NOT_THE_SERVICE = {
    "client",
    "collector",
    "attach",
    "cli",
}  # a library of players, a tool for the desk, a player's side, commands that end


def value_of(name: str) -> float:
    """What the program has under this name: a setting's default, or a constant."""
    if not name.startswith("jwpingd."):
        value: object = Config(ANALYTICS_ID)
        for part in name.split("."):
            value = getattr(value, part)
    else:
        module, _, constant = name.rpartition(".")
        owner = Limits() if module == "jwpingd.spool.Limits" else importlib.import_module(module)
        value = getattr(owner, constant)
    assert isinstance(value, int | float)
    return value


@pytest.mark.parametrize(("shown", "name"), ROWS, ids=[name for _, name in ROWS])
def test_a_limit_is_what_the_program_has(shown: str, name: str) -> None:
    """The number in the table is the setting's default or the constant's value."""
    assert float(shown.replace(",", "")) == value_of(name)


def test_every_row_can_be_read() -> None:
    """No row escapes the test above by its form."""
    assert len(ROWS) == SECTION.count("\n| ") - 1  # The head is no limit.
    assert len({name for _, name in ROWS}) == len(ROWS)


def constants() -> Iterator[str]:
    """Every constant of the service that says by its name that it is a limit."""
    for found in pkgutil.walk_packages(jwpingd.__path__, "jwpingd."):
        if found.name.split(".")[1] in NOT_THE_SERVICE or found.name.endswith("__main__"):
            continue
        source = Path(found.module_finder.path, found.name.rpartition(".")[2])  # type: ignore[union-attr]
        path = source / "__init__.py" if found.ispkg else source.with_suffix(".py")
        for name in re.findall(r"^(_?MAX_[A-Z0-9_]+)\b.*=", path.read_text(), re.MULTILINE):
            yield f"{found.name}.{name}"


def test_no_limit_is_left_out() -> None:
    """Every MAX_… of the service and every max_… setting is in the table."""
    named = {name for _, name in ROWS}
    assert [name for name in constants() if name not in named] == []
    settings = re.findall(r"^\| `([a-z]+\.(?:max_\w+|\w+_max))` \|", PAGE, re.MULTILINE)
    assert len(settings) > 5
    assert [name for name in settings if name not in named] == []
