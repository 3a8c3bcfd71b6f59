"""No network, no space, flash that hangs, a root that is read-only."""

from __future__ import annotations

from tests.systemd.box import STATE, WATCHDOG_S, run, show, systemctl, wait_status
from tests.systemd.flash import fill_to_the_reserve, flash_of_its_own
from tests.systemd.player import Player, wait_delivered
from tests.systemd.register import check


@check
def without_a_network_pings_wait() -> None:
    """No network: events are acknowledged, the status says so; with it back, all is delivered."""
    run("ip", "link", "set", "lo", "down")
    player = Player("Offline").begin()
    player.ack()
    player.close()
    wait_status("offline: ")
    wait_status("waiting, oldest")
    run("ip", "link", "set", "lo", "up")
    wait_delivered("Offline", "e", "s", "gab")


@check
def a_full_state_directory_is_degraded() -> None:
    """No space: no ack, no restart, and the status says why; with space again, acks come."""
    with flash_of_its_own():
        n_restarts = show("NRestarts")
        run("dd", "if=/dev/zero", f"of={STATE}/filler", "bs=64k", check=False)
        player = Player("Full").begin()
        fill_to_the_reserve(player)
        wait_status("degraded: ")
        assert not player.has_ack_within(0.5)
        (STATE / "filler").unlink()
        player.ack()
        player.close()
        assert show("NRestarts") == n_restarts
    wait_delivered("Full", "e", "s", "gab")


@check
def a_commit_that_hangs_is_degraded() -> None:
    """Flash that takes longer than the watchdog's time: degraded, not restarted; then the ack comes."""
    with flash_of_its_own():
        player = Player("Slow flash").begin()
        player.ack()
        pid = show("MainPID")
        run("fsfreeze", "-f", str(STATE))
        try:
            assert not player.has_ack_within(2.5 * WATCHDOG_S)
            wait_status("degraded: flash has been busy")
            assert show("MainPID") == pid
        finally:
            run("fsfreeze", "-u", str(STATE))
        player.ack()
        player.close()
        assert show("MainPID") == pid
    wait_delivered("Slow flash", "e", "s", "gab")


@check
def a_read_only_root_is_enough() -> None:
    """Everything read-only but flash for the state, as on many boxes: it starts, stores and delivers."""
    with flash_of_its_own():
        run("mount", "-o", "remount,ro", "/")
        try:
            systemctl("restart", "jwpingd.service")
            player = Player("Read-only root").begin()
            player.ack()
            player.close()
        finally:
            run("mount", "-o", "remount,rw", "/")
    wait_delivered("Read-only root", "e", "s", "gab")
