"""On which line of a TOML file a key stands.  tomllib does not tell, so the text is read once more.

Only for text that tomllib has accepted: what is not TOML is not looked for here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]
"""The way to a value: keys, and the index where an array of tables is entered."""


class Statement(NamedTuple):
    """One header or assignment: its first line (1-based) and its text, comments included."""

    line: int
    text: str


class Places:
    """Where the keys of one TOML text stand."""

    def __init__(self, text: str) -> None:
        self._statements: dict[Path, Statement] = {}
        n_entries: dict[Path, int] = {}
        table: Path = ()
        for statement in _statements(text):
            if statement.text.startswith("[["):
                table = _resolved(_key_path(statement.text), n_entries)
                n_entries[table] = n_entries.get(table, 0) + 1
                table = (*table, n_entries[table] - 1)
                self._remember(table, statement)
            elif statement.text.startswith("["):
                table = _resolved(_key_path(statement.text), n_entries)
                self._remember(table, statement)
            else:
                self._remember(table + _key_path(statement.text), statement)

    def find(self, path: Path) -> Statement:
        """The statement that sets `path`, or the nearest one around it; line 0 where there is none.

        The keys of an inline table stand where the table stands.
        """
        while path not in self._statements and path:
            path = path[:-1]
        return self._statements.get(path, Statement(0, ""))

    def _remember(self, path: Path, statement: Statement) -> None:
        # The tables above are found by their first mention.
        for n_keys in range(1, len(path) + 1):
            self._statements.setdefault(path[:n_keys], statement)


_TOKEN = (
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}\n]"
    r"""|[^"'#\[\]{}\n]+"""
)
_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^"'=\]])*"""


def _statements(text: str) -> Iterator[Statement]:
    """The statements of a TOML text: each ends with the first line end outside all brackets."""
    line, first_line, depth, tokens = 1, 1, 0, list[str]()
    for token in re.findall(_TOKEN, text.replace("\r\n", "\n") + "\n", re.DOTALL):
        if token == "\n" and depth == 0:
            whole = "".join(tokens).strip()
            if whole and not whole.startswith("#"):
                yield Statement(first_line, whole)
            tokens, first_line = [], line + 1
        else:
            tokens.append(token)
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token, 0)
        line += token.count("\n")


def _key_path(statement: str) -> Path:
    """The dotted key a statement begins with, in parts, quotes and escapes resolved: tomllib does it."""
    key = re.match(_KEY, statement.lstrip("["))
    assert key is not None, "the pattern matches the empty text too"
    path: list[str] = []
    document: object = tomllib.loads(f"{key[0].strip()} = 0")
    while isinstance(document, dict):
        ((part, document),) = document.items()
        path.append(part)
    return tuple(path)


def _resolved(path: Path, n_entries: dict[Path, int]) -> Path:
    """`path` with the index of the newest entry after the name of each array of tables it goes through."""
    resolved: Path = ()
    for part in path[:-1]:
        resolved += (part,)
        if resolved in n_entries:
            resolved += (n_entries[resolved] - 1,)
    return resolved + path[-1:]
