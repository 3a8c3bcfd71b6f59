"""The shipped configuration file says what the table of settings says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from jwpingd.config import APP_SETTINGS, SETTINGS, Config, default_toml, load, written
from jwpingd.config.sections import SECTIONS
from jwpingd.config.table import NEEDED

SHIPPED = Path(__file__).parent.parent / "config" / "jwpingd.toml"
ID = "a17e8PTFFffxLgpVuA4vVw"


def uncommented() -> str:
    """The file as if somebody had taken the comment sign from every setting."""
    return re.sub(r"^#(?=[a-z\[])", "", default_toml(ID), flags=re.MULTILINE)


def test_the_shipped_file_is_generated() -> None:
    """config/jwpingd.toml equals what the table gives; `default_toml()` writes it anew."""
    assert SHIPPED.read_text() == default_toml()


def test_the_shipped_file_gives_the_defaults(tmp_path: Path) -> None:
    """With an analytics id and nothing else, the file changes nothing."""
    (tmp_path / "config.toml").write_text(default_toml(ID))
    result = load([tmp_path / "config.toml"])
    assert result.config == Config(ID)
    assert {key for key, origin in result.origins.items() if origin != "default"} == {"analytics_id"}


def test_every_setting_stands_in_the_file_with_its_default(tmp_path: Path) -> None:
    """Uncommented, every line is valid, and it holds the default, or the example where none is."""
    (tmp_path / "config.toml").write_text(uncommented())
    result = load([tmp_path / "config.toml"])
    assert not [key for key in SETTINGS if result.origins[key] == "default"]
    for key, setting in SETTINGS.items():
        value: object = result.config
        for part in key.split("."):
            value = getattr(value, part)
        if setting.default is None:
            assert str(value) == str(setting.example)
        elif not setting.is_mandatory:
            assert value == setting.default
    (rule,) = result.config.apps
    assert {key: getattr(rule, key) for key in APP_SETTINGS} == {
        key: setting.example for key, setting in APP_SETTINGS.items()
    }


def test_the_table_is_whole() -> None:
    """Every field of every section is a setting with a sentence and a default that its kind allows."""
    assert sum(len(its_class._fields) for its_class in SECTIONS.values()) + 2 == len(SETTINGS)
    for setting in SETTINGS.values():
        assert re.fullmatch(r"[A-Z].*\.", setting.comment), setting
        if setting.default not in (None, NEEDED):
            document = tomllib.loads(re.sub(r"^#(?=[a-z[])", "", default_toml(ID), flags=re.MULTILINE))
            raw = document.get(setting.section, document)[setting.key]
            assert setting.kind.read(raw) == setting.default
        assert (setting.default is None) == (setting.example is not None), setting


def test_no_line_of_the_file_is_too_long() -> None:
    """The file is read on terminals."""
    assert max(map(len, default_toml().splitlines())) <= 110


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", '"a\\nb"'),
        ([1, "a", [2]], '[1, "a", […]]'),
        ({"a": 1}, "{…}"),
        ("http://u:p@h/", '"http://…@h/"'),
        ("http://u:p/x@h/", '"http://…@h/"'),
        ("http://u:p@x q@h", '"http://…@h"'),
        ("u:p@h:3128", '"…@h:3128"'),
        ("//u:p=q@h", '"//…@h"'),
        ("http:/u:p@h", '"…@h"'),
        ("proxy = u:p@h", '"proxy = …@h"'),
        (["u:p@h", "http://u:p@g"], '["…@g"]'),
        ("::p@h", '"…@h"'),
        ("a @b u:p@h", '"a @b …@h"'),
        (100_000 * "a:" + "@h", '"…@h"'),
        ("@" + 100_000 * "a:", '"@' + 38 * "a:" + "a…"),
        ("tvplayer@living.service", '"tvplayer@living.service"'),
        ("x" * 200, '"' + "x" * 78 + "…"),
        (Path("/a"), '"/a"'),
        (None, "(not set)"),
    ],
)
def test_values_are_written_on_one_line(value: object, text: str) -> None:
    """Messages stay short, and passwords stay out of them."""
    assert written(value) == text
