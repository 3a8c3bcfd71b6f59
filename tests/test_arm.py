"""The run on ARM: which tests it takes."""

from __future__ import annotations

import subprocess
from pathlib import Path

TESTS = Path(__file__).parent


def test_all_tests_of_a_room_run_on_arm() -> None:
    """A new file of tests of the store, the wire or another room of the core is not forgotten."""
    listed = set(subprocess.check_output([TESTS / "arm/run", "--list"], text=True).split())
    for room in ("session", "wire", "spool", "writer", "uplink", "clock"):
        files = {f"tests/{path.name}" for path in TESTS.glob(f"test_{room}*.py")}
        assert files and files <= listed
    assert listed >= {"tests/test_sockets.py", "tests/test_server.py", "tests/test_network.py"}
    assert all((TESTS.parent / file).is_file() for file in listed)
