"""Who may connect, and as whom the daemon sees players."""

from __future__ import annotations

import json

from tests.systemd.box import SOCKET, owner, run, status, systemctl, wait_until
from tests.systemd.register import check


@check
def the_sockets_are_for_those_they_are_for() -> None:
    """Players' group on the one, nobody but the daemon on the other, in a directory all can enter."""
    assert owner("/run/jwpingd") == "jwpingd:jwpingd 755"
    assert owner("/run/jwpingd/player.sock") == "root:jwping-players 660"
    assert owner("/run/jwpingd/control.sock") == "jwpingd:jwpingd 600"
    assert owner("/var/lib/jwpingd") == "jwpingd:jwpingd 700"
    assert owner("/etc/jwpingd/config.toml") == "root:root 644"


@check
def a_player_outside_the_group_is_refused() -> None:
    """The kernel refuses a user who is not in jwping-players, and lets in one who is."""
    run("useradd", "--no-create-home", "--groups", "jwping-players", "tv")
    run("useradd", "--no-create-home", "guest")
    code = f"import socket; socket.socket(socket.AF_UNIX).connect('{SOCKET}')"
    run("/usr/bin/python3", "-c", code, user="tv", group="tv", extra_groups=["jwping-players"])
    refused = run("/usr/bin/python3", "-c", code, user="guest", group="guest", extra_groups=[], check=False)
    assert "PermissionError" in refused, refused


@check
def the_sandbox_shows_players_as_they_are() -> None:
    """Under all the hardening the daemon sees a player's user and unit."""
    code = f"import socket, time; s = socket.socket(socket.AF_UNIX); s.connect('{SOCKET}'); time.sleep(60)"
    run("systemd-run", "--unit=tv-app", "-pUser=tv", "-pGroup=jwping-players", "/usr/bin/python3", "-c", code)
    uid = int(run("id", "-u", "tv"))
    wait_until(lambda: uid in [client["uid"] for client in status()["clients"]], "the player is there")
    (client,) = (client for client in status()["clients"] if client["uid"] == uid)
    systemctl("stop", "tv-app.service")
    assert "tv-app.service" in json.dumps(client), client
