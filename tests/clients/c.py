"""Programs in C: warnings are errors, and the sanitizers watch."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.films import CLIENTS, needed

FLAGS = (
    "-Wall", "-Wextra", "-Werror", "-std=c99", "-pedantic",
    "-fsanitize=address,undefined", "-fno-sanitize-recover", "-g",
)  # fmt: skip


def compiled(source: Path, directory: Path, *flags: str) -> Path:
    """The program that `source` makes, in `directory`."""
    program = directory / source.stem
    command = [needed("gcc"), *FLAGS, *flags, "-I", str(CLIENTS), "-o", str(program), str(source)]
    subprocess.run(command, check=True)
    return program
