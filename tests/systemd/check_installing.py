"""From a bare root file system to a ping, by the README's commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from tests.systemd.box import GIVEN, run, show, status, wait_until
from tests.systemd.register import check


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
def the_readmes_commands_deliver_a_ping() -> None:
    """The README's collector and player: e, s and gab arrive, and everything is delivered."""
    with open("/out/desk.log", "wb") as log:
        script = f"set -e\n{(GIVEN / 'desk.sh').read_text()}\nwait"
        desk = subprocess.Popen(
            ["bash", "-c", script], stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
        try:
            shown = Path("/out/desk.log")
            wait_until(lambda: re.search(r"\bgab\b", shown.read_text()), "the collector shows a gab")
        finally:
            os.killpg(desk.pid, signal.SIGTERM)
            desk.wait()
    wait_until(lambda: status()["waiting"] == 0, "all is delivered")


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
