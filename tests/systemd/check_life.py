"""Start, stop, restart, kill, hang."""

from __future__ import annotations

import os
import signal
import subprocess

from tests.systemd.box import HERE, PATIENCE_S, journal, owner, run, show, systemctl, wait_status, wait_until
from tests.systemd.check_access import the_sockets_are_for_those_they_are_for
from tests.systemd.player import Player, nobody_refused, wait_delivered
from tests.systemd.register import check


@check
def status_says_how_it_stands() -> None:
    """STATUS= tells what waits and who is connected, and changes when that does."""
    wait_status("ready; nothing waits; 0 players")
    player = Player("Status").begin()
    wait_status("1 player")
    player.close()
    wait_status("ready; nothing waits; 0 players")


@check
def a_stop_leaves_the_way_open() -> None:
    """After `systemctl stop` the players' directory and socket are there, and who connects starts it."""
    systemctl("stop", "jwpingd.service")
    assert show("ActiveState") == "inactive" and show("Result") == "success"
    assert show("StatusText") == "stopped; 0 waiting for the next start"
    assert show("ActiveState", "jwpingd.socket") == "active"
    assert owner("/run/jwpingd/player.sock") == "root:jwping-players 660"
    player = Player("Activated").begin()
    player.ack()
    player.close()
    assert show("ActiveState") == "active"
    wait_delivered("Activated", "e", "s", "gab")


@check
def a_directory_made_by_the_socket_alone_is_no_trap() -> None:
    """Without the directory, the socket unit makes it as tmpfiles.d says, and the group stays."""
    systemctl("stop", "jwpingd.service", "jwpingd.socket")
    run("rm", "-r", "/run/jwpingd")
    systemctl("start", "jwpingd.service")
    the_sockets_are_for_those_they_are_for()


@check
def a_restart_in_mid_play_counts_nothing_twice() -> None:
    """A play with a key goes on after a restart: one e, one s, one gab; no connect is refused meanwhile."""
    player = Player("Restarted", key="key-1").begin()
    player.ack()
    with nobody_refused():
        systemctl("restart", "jwpingd.service")
        player.close()
        player = Player("Restarted", key="key-1").begin()
        player.ack()
    player.send({"event": "remove"})
    player.ack()
    player.close()
    arrived = wait_delivered("Restarted", "e", "s", "gab")
    assert (arrived["e"], arrived["s"], arrived["gab"]) == (1, 1, 1), arrived


@check
def a_kill_loses_nothing() -> None:
    """kill -9: systemd starts it again, what was acknowledged arrives, and the cut play gets its gab."""
    player = Player("Killed").begin()
    player.ack()
    with nobody_refused():
        n_restarts = int(show("NRestarts"))
        os.kill(int(show("MainPID")), signal.SIGKILL)
        wait_until(lambda: int(show("NRestarts")) > n_restarts, "it is started again")
        player.close()
        again = Player("After the kill").begin()
        again.ack()
        again.close()
    arrived = wait_delivered("Killed", "e", "s", "gab")
    assert (arrived["e"], arrived["s"], arrived["gab"]) == (1, 1, 1), arrived


@check
def a_hung_event_loop_is_restarted() -> None:
    """One thread frozen, the loop's: the watchdog fires, nothing is lost, and the socket lives on."""
    player = Player("Hung").begin()
    player.ack()
    freezer = ["/usr/bin/python3", "-B", str(HERE / "freeze.py"), show("MainPID")]
    frozen = subprocess.Popen(freezer, stdout=subprocess.PIPE)
    assert frozen.stdout is not None and frozen.stdout.readline() == b"frozen\n"
    n_restarts = int(show("NRestarts"))
    waiting = Player("Waited for the watchdog").begin()
    wait_until(lambda: int(show("NRestarts")) > n_restarts, "the watchdog fires")
    frozen.wait(PATIENCE_S)
    waiting.ack()
    waiting.close()
    player.close()
    wait_delivered("Hung", "e", "s", "gab")
    wait_delivered("Waited for the watchdog", "e", "s", "gab")
    assert any("Watchdog timeout" in entry["MESSAGE"] for entry in journal())
    assert show("ActiveState", "jwpingd.socket") == "active"
