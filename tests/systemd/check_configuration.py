"""Good and bad configurations at a reload and at the start, and what the journal says."""

from __future__ import annotations

import time
from pathlib import Path

from tests.systemd.box import (
    PROGRAM,
    WATCHDOG_S,
    drop_in,
    journal,
    show,
    systemctl,
    wait_status,
    wait_until,
)
from tests.systemd.player import Player, pings, wait_delivered
from tests.systemd.register import check

EXTRA = Path("/etc/jwpingd/conf.d/test.toml")


@check
def a_reload_takes_a_good_configuration() -> None:
    """`systemctl reload`: later plays have what it says, and no player is cut off."""
    player = Player("Reloaded").begin()
    player.ack()
    EXTRA.write_text("[player]\npartner_id = 7\n")
    systemctl("reload", "jwpingd.service")
    wait_until(lambda: any("was read again" in entry["MESSAGE"] for entry in journal()), "it was read")
    later = Player("Played later").begin()
    for each in (player, later):
        each.ack()
        each.close()
    for title, partner in (("Reloaded", None), ("Played later", "7")):
        wait_delivered(title, "e", "s", "gab")
        assert {ping.get("ppid") for ping in pings(title)} == {partner}


@check
def a_reload_refuses_a_bad_configuration() -> None:
    """It goes on with the one from before, and status and journal name file and line."""
    EXTRA.write_text("[uplink]\nconcurency = 2\n")
    systemctl("reload", "jwpingd.service")
    wait_status(f"refused to reload: {EXTRA}:2")
    player = Player("Refused reload").begin()
    player.ack()
    player.close()
    wait_delivered("Refused reload", "e", "s", "gab")
    EXTRA.unlink()
    systemctl("reload", "jwpingd.service")
    wait_until(lambda: "refused" not in show("StatusText"), "a good one ends the complaint")


@check
def a_bad_configuration_at_start_waits() -> None:
    """Service active, socket not failed, no restart, the mistake in STATUS=; a reload starts it for good."""
    systemctl("stop", "jwpingd.service")
    EXTRA.write_text("nonsense = 1\n")
    player = Player("Patient").begin()
    wait_status(f"bad configuration, waiting for a better one: {EXTRA}:1")
    n_restarts, pid = show("NRestarts"), show("MainPID")
    for _ in range(30):
        Player("Impatient").close()
    time.sleep(1.5 * WATCHDOG_S)  # longer than a process that does not feed the watchdog may live
    assert (show("ActiveState"), show("ActiveState", "jwpingd.socket")) == ("active", "active")
    assert (show("NRestarts"), show("MainPID")) == (n_restarts, pid)
    EXTRA.unlink()
    systemctl("reload", "jwpingd.service")
    player.ack()
    player.close()
    wait_delivered("Patient", "e", "s", "gab")


@check
def a_start_that_fails_is_tried_again() -> None:
    """A program that cannot start is tried for ever, told as an error, and takes no socket with it."""
    systemctl("stop", "jwpingd.service")
    with drop_in("95-broken", "ExecStart=", f"ExecStart={PROGRAM} run --nonsense"):
        player = Player("Tried again").begin()
        wait_until(lambda: int(show("NRestarts")) >= 1, "it is tried again")
        assert show("ActiveState", "jwpingd.socket") == "active"
    player.ack()
    player.close()
    wait_delivered("Tried again", "e", "s", "gab")
    assert [entry for entry in journal("-p", "err") if "--nonsense" in entry["MESSAGE"]]


@check
def the_journal_has_priorities() -> None:
    """Errors are 3, warnings 4, news 6; no line shows the prefix; nothing unforeseen was written."""
    entries = [entry for entry in journal("_SYSTEMD_UNIT=jwpingd.service") if "_TRANSPORT" in entry]
    ours = [entry for entry in entries if entry["_TRANSPORT"] == "stdout"]
    said = {entry["MESSAGE"]: entry["PRIORITY"] for entry in ours}
    assert said["ready"] == "6"
    assert said["the configuration cannot be used; correct it, then: systemctl reload jwpingd"] == "3"
    assert {said[text] for text in said if text.startswith("link to the collector is down")} == {"4"}
    assert not [text for text in said if text.startswith(("<", "Traceback"))]
    assert {entry["SYSLOG_IDENTIFIER"] for entry in ours} == {"jwpingd"}
