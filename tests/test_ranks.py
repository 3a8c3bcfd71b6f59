"""The layers of the house: who may import whom, and who must not touch the world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "jwpingd"

RANKS = {
    0: {"errors", "events", "moment", "device", "retry", "notify", "film", "client", "interrupt", "plural"},
    1: {"clock", "wire", "attach", "ping", "identity", "apps", "sockets", "spool", "platforms"},
    2: {"config", "session", "writer"},
    3: {"server", "uplink", "network", "control", "collector", "replay"},
    4: {"daemon"},
    5: {"cli"},
}
RANK_OF = {module: rank for rank, modules in RANKS.items() for module in modules}

PURE = {"errors", "events", "moment", "device", "retry", "film", "ping", "wire", "session", "replay"}
WORLD = {
    "os", "io", "socket", "select", "subprocess", "time", "datetime", "random", "secrets", "uuid", "logging",
    "sqlite3", "ssl", "trio", "httpx", "threading", "pathlib", "tempfile", "ctypes", "urllib.request",
}  # fmt: skip
PURE_MAY = {
    # Parsing an HTTP date needs the type, not the clock; it is imported where it is used.
    "retry": {"datetime"},
}


def module_of(path: Path) -> str:
    """The room a file belongs to: its package, or its own name at the top."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports_of(path: Path) -> Iterator[str]:
    """Every module that the file imports, at its head or late, in full."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_of(path: Path) -> set[str]:
    """Our own rooms that the file imports from."""
    parts = [name.split(".") for name in imports_of(path) if name.split(".")[0] == "jwpingd"]
    return {part[1] for part in parts if len(part) > 1} & set(RANK_OF)


FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or not path.name.startswith("__"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    """A file imports only from rooms of strictly lower rank, or from its own."""
    mine = module_of(path)
    for other in rooms_of(path) - {mine}:
        assert RANK_OF[other] < RANK_OF[mine], f"{mine} (rank {RANK_OF[mine]}) imports {other}"


@pytest.mark.parametrize("path", [path for path in FILES if module_of(path) in PURE], ids=str)
def test_pure_rooms_know_no_world(path: Path) -> None:
    """No clock, disk, socket, randomness or log in the rooms that only compute."""
    allowed = PURE_MAY.get(module_of(path), set())
    touched = {name for name in imports_of(path) if name in WORLD} - allowed
    assert not touched


@pytest.mark.parametrize(
    ("library", "room"),
    [
        ("sqlite3", "spool"),
        ("httpx", "uplink"),
        ("h11", "uplink"),
        ("tomllib", "config"),
        ("tomli_w", "config"),
    ],
)
def test_a_library_has_one_home(library: str, room: str) -> None:
    """Only one room knows each of these, so that it can be understood and replaced there."""
    # `cli.early` reads two lines of TOML before `config` is imported, so that the socket listens sooner.
    # `platforms.rdk_store` looks up one setting in a store that is another program's.
    elsewhere = {ROOT / "cli/early.py", ROOT / "platforms/rdk_store.py"}
    files = [path for path in FILES if path not in elsewhere]
    users = {module_of(path) for path in files if library in imports_of(path)}
    assert users <= {room}


def test_every_room_has_a_rank() -> None:
    """A new module is given its place in the table before it is used."""
    assert {module_of(path) for path in FILES} == set(RANK_OF)


def test_the_uplink_is_imported_without_httpx() -> None:
    """Two files import httpx, and nobody else imports them at the head: they come when they are needed."""
    users = {ROOT / "uplink/http.py", ROOT / "uplink/transport.py"}
    for path in FILES:
        tree = ast.parse(path.read_text())
        heads = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in heads:
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.Import) and {"httpx", "h11"} & set(names):
                assert path in users
            if isinstance(node, ast.ImportFrom) and path not in users:
                assert node.module not in {"jwpingd.uplink.http", "jwpingd.uplink.transport"}
