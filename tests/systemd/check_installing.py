"""From a bare root file system to a ping, by the README's commands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.systemd.box import GIVEN, run, show, status, wait_until
from tests.systemd.register import check

COLLECTOR = "http://127.0.0.1:8080/"


@check
def the_readmes_commands_make_it_active() -> None:
    """From nothing to `systemctl status` active, by the README's commands for integrators alone."""
    script = f"set -e\n{(GIVEN / 'integrator.sh').read_text()}"
    # There is no network here: pip finds the wheels where it is told to.
    environment = os.environ | {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(GIVEN),
        "PIP_CONFIG_FILE": "/dev/null",
    }
    told = run("bash", "-c", script, cwd=GIVEN, env=environment)
    assert "active (running)" in told, told


@check
def the_cost_of_a_start_can_be_read() -> None:
    """The line of docs/operations.md tells the CPU time that the running service has had."""
    told = run("bash", "-c", (GIVEN / "cost.sh").read_text())
    assert re.fullmatch(r"[1-9][0-9]* ms\n", told), told


@check
def the_readmes_commands_deliver_a_ping() -> None:
    """The README's collector and player: e, s and gab arrive, and everything is delivered."""
    with typed("desk.sh") as shown:
        wait_until(lambda: re.search(r"\bgab\b", shown.read_text()), "the collector shows a gab")
    wait_until(lambda: status()["waiting"] == 0, "all is delivered")


@check
def the_readmes_real_player_is_on_the_collectors_page() -> str | None:
    """A film that mpv plays, as the README has it typed: the page is there, and gets its play."""
    if not shutil.which("mpv") or not shutil.which("ffmpeg"):
        return "mpv and ffmpeg are not installed"
    source = "-f lavfi -i testsrc=duration=2:size=160x90:rate=25 -c:v mpeg4"
    run("ffmpeg", "-nostdin", "-v", "error", *source.split(), "/film.mkv")
    Path("/etc/mpv").mkdir(exist_ok=True)
    Path("/etc/mpv/mpv.conf").write_text("vo=null\nao=null\n")  # The box has no screen.
    with typed("desk.sh", "mpv.sh"):
        wait_until(lambda: "gab" in kinds_of("film.mkv"), "the play of the film is there, to its end")
        assert sorted(kinds_of("film.mkv")) == ["e", "gab", "s", "t"]
        with urllib.request.urlopen(COLLECTOR) as page:
            assert b"<h1>jwpingd collector" in page.read()
    return None


def kinds_of(title: str) -> list[str]:
    """What the collector has of a film, asked as its page asks."""
    try:
        with urllib.request.urlopen(f"{COLLECTOR}live?after=0") as answer:
            pings = json.load(answer)["pings"]
    except OSError:  # It does not listen yet.
        return []
    return [ping["params"]["e"] for ping in pings if ping["params"].get("t") == title]


@contextlib.contextmanager
def typed(*scripts: str) -> Iterator[Path]:
    """Blocks of the README one after another in a shell, and what they show; they are ended afterwards."""
    shown = Path("/out/desk.log")
    script = "\n".join(("set -e", *((GIVEN / name).read_text() for name in scripts), "wait"))
    with shown.open("wb") as log:
        desk = subprocess.Popen(
            ["bash", "-c", script], stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    try:
        yield shown
    finally:
        os.killpg(desk.pid, signal.SIGTERM)
        desk.wait()


@check
def it_never_holds_up_the_boot() -> None:
    """No target waits for the service, and the service waits for no network."""
    assert "jwpingd.service" not in show("After", "multi-user.target")
    assert "jwpingd.socket" in show("After", "sockets.target").split()
    assert "network" not in show("After") + show("Requires") + show("Wants")


@check
def the_unit_is_flawless_and_tight() -> None:
    """`systemd-analyze verify` is silent, and the exposure is at most 1.5, running as offline."""
    units = "/usr/lib/systemd/system/jwpingd"
    said = run("systemd-analyze", "verify", "--recursive-errors=one", f"{units}.service", f"{units}.socket")
    assert said == "", said
    run("systemd-analyze", "security", "--threshold=15", "--no-pager", "jwpingd.service")


LAST = the_unit_is_flawless_and_tight.__name__
"""With this the installing is over."""
