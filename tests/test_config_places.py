"""On which line a key of a TOML file stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.config.places import Path, Places

EVERYTHING = '''\
# a = 1
a = 1 # [not]
"b c".d = """
x = 1
[no]
"""
e = [
  1, # ]
  "]",
]

[f]
g = { h = 1, i = "}" }
'j.k' = \'\'\'
[[f]]\'\'\'

[[l]]
m = 1
[l.n]
o = 1
[[l]]
m = 2
[[l.p]]
q = 1
[[l.p]]
q = 2
[ r . "s\\u0074" ]
t = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("b c",), 3),
        (("b c", "d"), 3),
        (("e",), 7),
        (("e", 1), 7),
        (("f",), 12),
        (("f", "g"), 13),
        (("f", "g", "h"), 13),
        (("f", "j.k"), 14),
        (("l",), 17),
        (("l", 0), 17),
        (("l", 0, "m"), 18),
        (("l", 0, "n", "o"), 20),
        (("l", 1), 21),
        (("l", 1, "m"), 22),
        (("l", 1, "p", 0, "q"), 24),
        (("l", 1, "p", 1, "q"), 26),
        (("r", "st", "t"), 28),
        (("l", 1, "absent"), 21),
        (("absent",), 0),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_way_to_write_a_key(path: Path, line: int, line_end: str) -> None:
    """A key is found where it is set, in whatever form; an absent one where its table is."""
    tomllib.loads(EVERYTHING)
    assert Places(EVERYTHING.replace("\n", line_end)).find(path).line == line


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, int]]:
    """Every number in the document, with the way to it."""
    if isinstance(value, int):
        yield path, value
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from leaves(inner, (*path, key))


def numbered(value: Any, numbers: Iterator[int]) -> Any:
    """The same shape, with another number at every leaf."""
    if isinstance(value, dict):
        return {key: numbered(inner, numbers) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbered(inner, numbers) for inner in value]
    return next(numbers)


KEYS = st.text(max_size=5) | st.sampled_from(["a", "a b", "[", "]", "=", "#", '"', "'", "\\", ".", "\n"])
TABLES: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(KEYS, st.just(0), max_size=3),
    lambda inner: st.dictionaries(
        KEYS, inner | st.just(0) | st.lists(inner, min_size=1, max_size=3), max_size=3
    ),
    max_leaves=10,
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(shape=TABLES)
def test_every_value_is_found(shape: dict[str, Any]) -> None:
    """In any document, the line that is found for a value is the line where it stands, or its array's."""
    document = numbered(shape, iter(range(10_000, 20_000)))
    text = tomli_w.dumps(document)
    places = Places(text)
    for path, number in leaves(document):
        assert str(number) in places.find(path).text
        first = text.split("\n")[places.find(path).line - 1]
        assert places.find(path).text.startswith(first.strip())
