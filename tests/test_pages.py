"""The documentation says what the program does."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests import pages


def test_the_table_of_settings_is_the_programs() -> None:
    """docs/operations.md lists every setting as the program has it; `python -m tests.pages` writes it."""
    page = pages.OPERATIONS.read_text()
    assert "| `analytics_id` |" in page
    assert pages.with_settings(page) == page


def test_the_manual_is_the_command_line() -> None:
    """jwpingd(1) has every command and option that `--help` has; `python -m tests.pages` writes it."""
    assert pages.manual() == pages.MANUAL.read_text()


@pytest.mark.skipif(not shutil.which("man") and "CI" not in os.environ, reason="man is not installed")
def test_the_manual_is_well_formed() -> None:
    """man(1) shows it without a warning."""
    done = subprocess.run(
        ["man", "--warnings=all", "--local-file", str(pages.MANUAL)],
        env={"MAN_KEEP_FORMATTING": "", "PAGER": "cat", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "EXIT STATUS" in done.stdout
