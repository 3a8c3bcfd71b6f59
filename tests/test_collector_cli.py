"""`jwpingd collector` as a process: what it prints, how it ends, what it says of mistakes."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from jwpingd.cli import collector as command
from jwpingd.collector import bind
from jwpingd.collector.lines import HEADING
from jwpingd.errors import OperatorError
from tests.collector_plays import good_play, made

COMMAND = [sys.executable, "-m", "jwpingd", "collector", "--port", "0"]


@contextmanager
def collecting(*arguments: str, stop: signal.Signals = signal.SIGTERM) -> Iterator[tuple[str, list[str]]]:
    """Runs the command; gives its first line, and when the block is left, all others and the exit status.

    The status is the last of the lines.
    """
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, encoding="utf-8") as process:
        # A command that hangs must fail the test, not stop it.
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        lines: list[str] = []
        try:
            assert process.stdout is not None
            yield process.stdout.readline().rstrip("\n"), lines
            process.send_signal(stop)
            lines += process.stdout.read().splitlines()
            lines.append(str(process.wait()))
        finally:
            watchdog.cancel()
            process.kill()


def send(url: str, targets: list[str]) -> None:
    with httpx.Client(base_url=url, trust_env=False) as http:
        for target in targets:
            assert http.get(target).status_code == 200


@pytest.mark.slow
def test_json_has_a_line_for_where_each_ping_and_the_report() -> None:
    """--json: where it listens, one object a ping with its violations, the report at SIGTERM; status 0."""
    bad = made("t", 70_000, pw=12, ti=1)
    with collecting("--json") as (first, lines):
        send(json.loads(first)["listening"], [*good_play(), good_play()[0], bad])
    *pings, last, status = lines
    shown: list[dict[str, Any]] = [json.loads(each) for each in pings]
    assert [each["target"] for each in shown] == [*good_play(), good_play()[0], bad]
    assert shown[0].keys() == {"at_ms", "bucket", "target", "params", "violations", "duplicate"}
    assert [each["duplicate"] for each in shown[-3:]] == [False, True, False]
    assert [bool(each["violations"]) for each in shown[-3:]] == [False, False, True]
    assert (json.loads(last)["report"]["total"]["plays"], status) == (1, "0")


@pytest.mark.slow
@pytest.mark.parametrize(("targets", "status"), [(good_play(), "0"), (good_play()[1:], "1")])
def test_strict_ends_with_1_after_a_violation(targets: list[str], status: str) -> None:
    """--strict: status 1 if anything was violated, plays as a whole included; SIGINT ends it like SIGTERM."""
    with collecting("--strict", stop=signal.SIGINT) as (first, lines):
        send(first.split()[2].rstrip(";"), targets)
    assert lines[-1] == status


@pytest.mark.slow
def test_people_get_aligned_lines_and_a_table() -> None:
    """Without --json: a heading, a line a ping and the totals, without colour in a pipe."""
    with collecting() as (first, lines):
        send(first.split()[2].rstrip(";"), good_play())
    assert lines[0] == HEADING
    assert [line.split()[1] for line in lines[1:9]] == ["e", "i", "s", "t", "t", "vs", "t", "gab"]
    assert lines[-2] == "8 pings, 0 duplicates, 0 violations, 0 plays still open"
    assert "\x1b" not in "".join(lines)


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it() -> None:
    """When nobody reads its lines any more (`| head`), it ends quietly with status 1."""
    with subprocess.Popen([*COMMAND, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        assert process.stdout is not None and process.stderr is not None
        url = json.loads(process.stdout.readline())["listening"]
        process.stdout.close()
        with httpx.Client(trust_env=False) as http, pytest.raises(httpx.HTTPError):
            http.get(url + good_play()[0])
        assert (process.stderr.read(), process.wait()) == (b"", 1)
        watchdog.cancel()


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_bad_days_are_read() -> None:
    """--fail may be repeated; shares and times go into the weather."""
    arguments = parsed("--fail", "503:0.2", "--fail", "404:.1", "--reset", "0.5", "--delay", "2s")
    assert arguments.fail == [(503, 0.2), (404, 0.1)]
    assert (arguments.reset, arguments.delay) == (0.5, 2.0)


@pytest.mark.parametrize("mistake", ["503", "200:0.1", "600:0.1", "x:0.1", "503:x", "\N{SUPERSCRIPT TWO}:1"])
def test_a_mistaken_failure_is_a_usage_error(mistake: str) -> None:
    """--fail takes STATUS:SHARE with a status that fails."""
    with pytest.raises(argparse.ArgumentError, match=r"STATUS:SHARE|share must be"):
        parsed("--fail", mistake)


@pytest.mark.parametrize("mistake", ["-1", "65536", "x", ""])
def test_a_mistaken_port_is_a_usage_error(mistake: str) -> None:
    """--port takes 0 to 65535."""
    with pytest.raises(argparse.ArgumentError, match="not a port"):
        parsed(f"--port={mistake}")


def test_what_the_operator_must_change_is_said() -> None:
    """A port in use, an unreadable certificate, impossible shares: the error says the way out."""
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(OperatorError, match="choose another with --port"):
            command.run(parsed("--port", str(taken.getsockname()[1])))
    with pytest.raises(OperatorError, match="cannot use the certificate"):
        command.run(parsed("--certfile", "/nonexistent.pem"))
    with pytest.raises(OperatorError, match="--keyfile needs --certfile"):
        command.run(parsed("--keyfile", "/nonexistent.pem"))
    with pytest.raises(OperatorError, match="see --fail"):
        command.run(parsed("--fail", "503:0.7", "--reset", "0.7"))
