"""Uninstalled, and without systemd."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.systemd.box import CONFIG, GIVEN, PROGRAM, STATE, owner, run, systemctl, wait_until
from tests.systemd.player import Player, wait_delivered
from tests.systemd.register import check


@check
def uninstall_leaves_what_is_not_its_own() -> None:
    """Units and sysusers go; the changed configuration and the state stay."""
    refused = run(PROGRAM, "uninstall", check=False)
    assert "systemctl --now disable" in refused, refused
    systemctl("--now", "disable", "jwpingd.service", "jwpingd.socket")
    run(PROGRAM, "uninstall")
    assert not list(Path("/usr/lib").glob("*/jwpingd.conf"))
    assert not list(Path("/usr/lib/systemd/system").glob("jwpingd*"))
    assert CONFIG.exists() and (STATE / "install-id").exists()


@check
def without_systemd_a_shell_line_will_do() -> None:
    """The commands of docs/operations.md for a box without systemd: started again after a kill -9."""
    script = f"export PATH=/opt/jwpingd/bin:$PATH\n{(GIVEN / 'supervised.sh').read_text()}wait"
    shell = subprocess.Popen(["bash", "-c", script], start_new_session=True)
    try:
        for title in ("Supervised", "Supervised again"):
            wait_until(lambda: "delivered" in run(PROGRAM, "status", check=False), "it answers")
            assert owner("/run/jwpingd/player.sock") == "jwpingd:jwping-players 660"
            player = Player(title).begin()
            player.ack()
            player.close()
            wait_delivered(title, "e", "s", "gab")
            run("pkill", "-KILL", "-u", "jwpingd")
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        run("pkill", "-KILL", "-u", "jwpingd", check=False)
