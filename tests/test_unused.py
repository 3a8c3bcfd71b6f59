"""Nothing is kept for the tests alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent / "jwpingd"

CALLED_FROM_OUTSIDE = {
    # Players in Python call these (docs/protocol.md, "Clients").
    *("playlist_item", "playback_rate_changed", "ad_impression"),
}


def test_every_function_is_called_by_the_program() -> None:
    """A function or method whose name stands nowhere else in the program is dead, or the tests' own."""
    trees = [ast.parse(path.read_text()) for path in ROOT.rglob("*.py")]
    defined = {name for tree in trees for name in functions_of(tree)}
    used = {name for tree in trees for name in names_in(tree)}
    assert defined - used - CALLED_FROM_OUTSIDE == set()


def functions_of(tree: ast.Module) -> Iterator[str]:
    """Names of functions and methods, but for those that Python itself calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
            yield node.name


def names_in(tree: ast.Module) -> Iterator[str]:
    """Every name that is read, imported or looked up as an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name
