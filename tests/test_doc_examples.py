"""Every example of the documentation is run by a test, and every command in it is one that exists."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jwpingd import cli
from tests.processes import BoxUnderTest, free_port, wait_until

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/operations.md", "docs/protocol.md", "docs/performance.md", "docs/reliability.md")
PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `language` is what stands after the fence, empty for what is only shown."""

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text[:60]!r}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        for language, text in re.findall(r"^```(.*?)\n(.*?)^```", (ROOT / page).read_text(), re.S | re.M):
            yield Block(page, language, text)


BLOCKS = list(blocks())

RUN_BY = {
    "bin/jwpingd demo": "tests/test_daemon.py::test_the_demo_needs_nothing_and_loses_nothing",
    "bin/pytest -q tests/systemd": "tests/systemd/test_service.py::test_on_a_booted_box",
    "bin/ruff check": "tests/test_readme.py::test_ci_runs_the_readmes_test_command",
    "jwpingd run --set": "tests/test_readme_player.py::test_the_first_player_of_the_readme",
    "for second in": "tests/test_readme_player.py::test_the_first_player_of_the_readme",
    "enable --now jwpingd": "tests/systemd/check_installing.py::the_readmes_commands_make_it_active",
    "play --held-back": "tests/systemd/check_installing.py::the_readmes_commands_deliver_a_ping",
    "mpv.sock film.mkv": (
        "tests/systemd/check_installing.py::the_readmes_real_player_is_on_the_collectors_page"
    ),
    "PLATFORM = ": "tests/test_platforms.py::test_the_readmes_platform_works",
    "--root=": "tests/test_doc_examples.py::test_an_image_gets_the_service",
    "inherit python": "tests/test_doc_examples.py::test_the_recipe_fits_the_program",
    "while :; do su": ("tests/systemd/check_leaving.py::without_systemd_a_shell_line_will_do"),
    "awk ": "tests/systemd/check_installing.py::the_cost_of_a_start_can_be_read",
    "jwpingd.prom": "tests/test_doc_examples.py::test_the_metrics_take_the_place_of_the_old_ones",
    "--lose-answer": "tests/test_doc_examples.py::test_nothing_is_lost_on_bad_days",
    "json lines": "tests/test_protocol_doc.py::test_an_example_of_the_page_is_taken",
    "json replies": "tests/test_protocol_doc.py::test_replies_look_as_the_page_says",
    "python client": "tests/clients/test_examples.py::test_the_pages_examples_work",
    "sh attach": "tests/clients/test_examples.py::test_the_pages_examples_work",
    "tests.benchmarks": "tests/test_doc_examples.py::test_what_measures_can_be_started",
    "simulations.fleet": "tests/test_doc_examples.py::test_what_measures_can_be_started",
}
"""What only blocks of one kind have → the test, or check on the booted box, that runs them."""


def block_with(mark: str) -> str:
    (block,) = (block for block in BLOCKS if block.language and mark in block.text)
    return block.text


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language], ids=str)
def test_each_block_is_run(block: Block) -> None:
    """Each block of the documentation is run by a test that exists."""
    whole = f"{block.language}\n{block.text}"
    found = {test for mark, test in RUN_BY.items() if mark in whole}
    assert len(found) == 1, f"{block}: which test runs it? {found}"
    file, _, name = found.pop().partition("::")
    assert f"def {name}(" in (ROOT / file).read_text()


# --- commands in the text ----------------------------------------------------------------------------


def commands() -> Iterator[str]:
    """Each command line of ours: in the pages' text, in their blocks, and the example of each `--help`."""
    for page in PAGES:
        yield from re.findall(r"`(?:\S*/)?jwpingd ([a-z][^`]*)`", (ROOT / page).read_text())
    for block in BLOCKS:
        if block.language.startswith("sh"):
            yield from re.findall(r"^(?:.*[/ ])?jwpingd ((?:run|[a-z]+) [^&|>\n;)]*)", block.text, re.M)
    for name in cli.COMMANDS:
        example = str(importlib.import_module(f"jwpingd.cli.{name}").EXAMPLE)
        yield from re.findall(r"jwpingd ([a-z][^&|>\n;]*)", example)


def words(command: str) -> list[str]:
    """Its words, with nothing where the page has an ellipsis and no quotation that a `su -c` has opened."""
    return shlex.split(command.replace("…", "").rstrip().removesuffix('"'))


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_each_command_is_one_that_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line takes it, options and all; the shortest form may leave out what it must be given."""
    name, *arguments = words(command)
    parser = cli.parser(name, importlib.import_module(f"jwpingd.cli.{name}"))
    try:
        assert isinstance(parser.parse_args([name, *arguments]), argparse.Namespace)
    except SystemExit as exc:
        told = capsys.readouterr().err
        assert not exc.code or "arguments are required" in told, told


def test_enough_commands_are_looked_at() -> None:
    """The search finds what the pages have, also in shells and helps."""
    found = set(commands())
    assert {"queue retry --all", "status --prometheus ", "tap --record evening.jsonl"} <= found
    assert {words(command)[0] for command in found} == set(cli.COMMANDS)


# --- blocks that no other test runs ------------------------------------------------------------------


def needed(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        message = f"not installed: {', '.join(missing)}"
        # In CI a test that silently never runs would be worse than one that fails.
        pytest.fail(message) if "CI" in os.environ else pytest.skip(message)


def environ() -> dict[str, str]:
    """Ours, with the programs of this environment first."""
    return os.environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}


def typed(script: str, **environment: str) -> None:
    done = subprocess.run(
        ["bash", "-euc", script],
        env=environ() | environment | {"PATH": environ()["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_an_image_gets_the_service(tmp_path: Path) -> None:
    """The commands for an image: units, users and what starts them are in the root file system."""
    needed("systemctl", "systemd-sysusers")
    (tmp_path / "etc").mkdir()
    typed(block_with("--root="), ROOTFS=str(tmp_path))
    assert (
        "ExecStart=/usr/bin/jwpingd run" in (tmp_path / "usr/lib/systemd/system/jwpingd.service").read_text()
    )
    assert "jwpingd:" in (tmp_path / "etc/passwd").read_text()
    assert "jwping-players:" in (tmp_path / "etc/group").read_text()
    assert (tmp_path / "etc/systemd/system/sockets.target.wants/jwpingd.socket").is_symlink()


@pytest.mark.slow
def test_the_recipe_fits_the_program(tmp_path: Path) -> None:
    """Its needs are the program's, its install works, and what that puts is in a package, units and all."""
    recipe = block_with("inherit python")
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for need in needs:
        assert f"python3-{re.split('[<>=~ ]', need)[0]}" in recipe
    (body,) = re.findall(r"^do_install:append\(\) \{\n(.*?)^\}", recipe, re.S | re.M)
    typed(body, D=str(tmp_path), S=str(ROOT), PYTHON=sys.executable, bindir="/usr/bin")
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    packed = ("usr/lib/", "usr/share/jwpingd/", "etc/")
    assert files and all(file.startswith(packed) for file in files), files
    for unit in re.findall(r'^SYSTEMD_SERVICE:\$\{PN\} = "(.*)"', recipe, re.M)[0].split():
        assert f"usr/lib/systemd/system/{unit}" in files


@pytest.mark.slow
def test_the_metrics_take_the_place_of_the_old_ones(tmp_path: Path) -> None:
    """The line for node_exporter leaves one file, whole, that the parser takes."""
    box = BoxUnderTest(tmp_path, free_port())
    box.start()
    try:
        script = block_with("jwpingd.prom").replace("/var/lib/node_exporter", str(tmp_path))
        typed(script, **box.environment)
    finally:
        box.kill()
    text = (tmp_path / "jwpingd.prom").read_text()
    assert "jwpingd_info" in {family.name for family in text_string_to_metric_families(text)}
    assert not (tmp_path / "jwpingd.prom.new").exists()


@pytest.mark.slow
def test_nothing_is_lost_on_bad_days(tmp_path: Path) -> None:
    """The collector of the page, in the weather of the page: each ping counts once."""
    port = free_port()
    faster = {
        "8080": f"{port} --json",
        "10s": "0.2s",
        "--delay 0.5": "--delay 0.01",
        "jwpingd": "exec jwpingd",
    }
    script = block_with("--lose-answer")
    for old, new in faster.items():
        script = script.replace(old, new)
    with subprocess.Popen(["bash", "-c", script], env=environ(), stdout=subprocess.PIPE) as collector:
        box = BoxUnderTest(tmp_path, port)
        try:
            box.start()
            player = box.connect()
            player.send_and_wait(*20 * [{"event": "playlistItem", "mediaid": "9u6OHIO4"}])
            wait_until(lambda: box.status()["delivered"] >= 20, "everything was delivered")
            player.close()
        finally:
            box.kill()
            collector.terminate()
        assert collector.stdout is not None
        report = json.loads(collector.stdout.read().splitlines()[-1])["report"]
    assert report["total"]["setups"] == 20 and report["violations"] == 0


@pytest.mark.parametrize("mark", ["tests.benchmarks", "simulations.fleet"])
def test_what_measures_can_be_started(mark: str) -> None:
    """The commands that measure are there and take what the page gives them; they take too long to be run."""
    for line in block_with(mark).splitlines():
        _python, option, module, *arguments = shlex.split(line, comments=True)
        assert option == "-m"
        typed(f"python -m {module} --help | grep -q -- {shlex.quote(next(iter(arguments), module))}")
