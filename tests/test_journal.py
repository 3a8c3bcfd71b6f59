"""Log lines for the journal and for people."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jwpingd.cli import journal

_CHILD = """
import logging, os, sys
from jwpingd.cli import journal
journal.log_to(sys.stderr)
log = logging.getLogger("jwpingd.part")
log.setLevel(logging.DEBUG)
log.debug("d"); log.info("i"); log.warning("two\\nlines"); log.error("e"); log.critical("c")
"""


def logged(directory: Path, *, is_journal: bool) -> str:
    """What a process writes whose $JOURNAL_STREAM names its standard error, or another file."""
    with (directory / "stderr").open("wb") as stderr, (directory / "other").open("wb") as other:
        status = os.fstat((stderr if is_journal else other).fileno())
        environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        subprocess.run([sys.executable, "-c", _CHILD], stderr=stderr, env=environment, check=True)
    return (directory / "stderr").read_text()


@pytest.mark.slow
def test_the_journal_gets_priorities(tmp_path: Path) -> None:
    """Each line begins with its priority of syslog(3), the further lines of a message too."""
    assert logged(tmp_path, is_journal=True) == "<7>d\n<6>i\n<4>two\n<4>lines\n<3>e\n<2>c\n"


@pytest.mark.slow
def test_people_get_words(tmp_path: Path) -> None:
    """Where $JOURNAL_STREAM was inherited from somebody else, standard error is not the journal."""
    assert logged(tmp_path, is_journal=False).startswith("jwpingd: debug: d\njwpingd: info: i\n")


@pytest.mark.parametrize("variable", ["", "1", "1:2", "x:y", ":"])
def test_another_stream_is_not_the_journal(variable: str, tmp_path: Path) -> None:
    """Only the very device and inode count; a closed stream is no journal either."""
    with (tmp_path / "file").open("w") as stream:
        assert not journal.is_journal(stream, {"JOURNAL_STREAM": variable})
        assert not journal.is_journal(stream, {})
    assert not journal.is_journal(stream, {"JOURNAL_STREAM": variable})


def test_the_priorities_are_those_of_syslog() -> None:
    """LOG_CRIT is 2, LOG_ERR 3, LOG_WARNING 4, LOG_INFO 6, LOG_DEBUG 7."""
    levels = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
    assert [journal._PRIORITIES[level] for level in levels] == [2, 3, 4, 6, 7]
