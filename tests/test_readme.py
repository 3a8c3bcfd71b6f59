"""What the README tells a newcomer to type is what works."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMANDS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_two_commands_come_first() -> None:
    """A fresh machine needs one command to see the main job, and then one to pass the tests."""
    demo, tests = COMMANDS[0].strip(), COMMANDS[1].strip()
    assert "\n" not in demo and demo.endswith(".venv/bin/jwpingd demo")
    assert "\n" not in tests and tests.endswith(".venv/bin/pytest")


def test_ci_runs_the_readmes_test_command() -> None:
    """CI takes the command from the README, so that the two cannot differ."""
    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if ".venv/bin/pytest" in line)
    assert line == COMMANDS[1].strip()
    assert "grep -F '.venv/bin/pytest' README.md" in (ROOT / ".ci/run").read_text()


def test_every_room_is_on_the_map() -> None:
    """The table of modules names each of them."""
    readme = (ROOT / "README.md").read_text()
    rooms = {path.stem for path in (ROOT / "jwpingd").glob("*") if not path.name.startswith("_")}
    assert not {room for room in rooms if f"`{room}`" not in readme}
