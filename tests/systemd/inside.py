"""What is checked on the booted box, in order; each check is one test outside (test_service.py).

Run there as root by the system's Python.  A check returns None, or why it could show nothing here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.systemd import box, probe
from tests.systemd.box import (
    STATE,
    Player,
    drop_in,
    run,
    show,
    systemctl,
    wait_delivered,
    wait_status,
    wait_until,
)

GIVEN = Path("/ci/given")
HERE = Path(__file__).parent
RESULTS = Path("/out/results.jsonl")
EXTRA = Path("/etc/jwpingd/conf.d/test.toml")
WATCHDOG_S = 2

Check = Callable[[], "str | None"]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """The next in order."""
    CHECKS[function.__name__] = function
    return function


# --- from a bare root file system to a ping -------------------------------------------------------


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
    wait_until(lambda: box.status()["waiting"] == 0, "all is delivered")


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


# --- who may ---------------------------------------------------------------------------------------


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
    code = f"import socket; socket.socket(socket.AF_UNIX).connect('{box.SOCKET}')"
    run("/usr/bin/python3", "-c", code, user="tv", group="tv", extra_groups=["jwping-players"])
    refused = run("/usr/bin/python3", "-c", code, user="guest", group="guest", extra_groups=[], check=False)
    assert "PermissionError" in refused, refused


@check
def the_sandbox_shows_players_as_they_are() -> None:
    """Under all the hardening the daemon sees a player's user and unit."""
    code = (
        f"import socket, time; s = socket.socket(socket.AF_UNIX); s.connect('{box.SOCKET}'); time.sleep(60)"
    )
    run("systemd-run", "--unit=tv-app", "-pUser=tv", "-pGroup=jwping-players", "/usr/bin/python3", "-c", code)
    uid = int(run("id", "-u", "tv"))
    wait_until(lambda: uid in [client["uid"] for client in box.status()["clients"]], "the player is there")
    (client,) = (client for client in box.status()["clients"] if client["uid"] == uid)
    systemctl("stop", "tv-app.service")
    assert "tv-app.service" in json.dumps(client), client


# --- life ------------------------------------------------------------------------------------------


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
    frozen.wait(box.PATIENCE_S)
    waiting.ack()
    waiting.close()
    player.close()
    wait_delivered("Hung", "e", "s", "gab")
    wait_delivered("Waited for the watchdog", "e", "s", "gab")
    assert any("Watchdog timeout" in entry["MESSAGE"] for entry in box.journal())
    assert show("ActiveState", "jwpingd.socket") == "active"


# --- bad days --------------------------------------------------------------------------------------


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


@check
def a_reload_takes_a_good_configuration() -> None:
    """`systemctl reload`: later plays have what it says, and no player is cut off."""
    player = Player("Reloaded").begin()
    player.ack()
    EXTRA.write_text("[player]\npartner_id = 7\n")
    systemctl("reload", "jwpingd.service")
    wait_until(lambda: any("was read again" in entry["MESSAGE"] for entry in box.journal()), "it was read")
    later = Player("Played later").begin()
    for each in (player, later):
        each.ack()
        each.close()
    for title, partner in (("Reloaded", None), ("Played later", "7")):
        wait_delivered(title, "e", "s", "gab")
        assert {ping.get("ppid") for ping in box.pings(title)} == {partner}


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
    with drop_in("95-broken", "ExecStart=", f"ExecStart={box.PROGRAM} run --nonsense"):
        player = Player("Tried again").begin()
        wait_until(lambda: int(show("NRestarts")) >= 1, "it is tried again")
        assert show("ActiveState", "jwpingd.socket") == "active"
    player.ack()
    player.close()
    wait_delivered("Tried again", "e", "s", "gab")
    assert [entry for entry in box.journal("-p", "err") if "--nonsense" in entry["MESSAGE"]]


@check
def the_journal_has_priorities() -> None:
    """Errors are 3, warnings 4, news 6; no line shows the prefix; nothing unforeseen was written."""
    entries = [entry for entry in box.journal("_SYSTEMD_UNIT=jwpingd.service") if "_TRANSPORT" in entry]
    ours = [entry for entry in entries if entry["_TRANSPORT"] == "stdout"]
    said = {entry["MESSAGE"]: entry["PRIORITY"] for entry in ours}
    assert said["ready"] == "6"
    assert said["the configuration cannot be used; correct it, then: systemctl reload jwpingd"] == "3"
    assert {said[text] for text in said if text.startswith("link to the collector is down")} == {"4"}
    assert not [text for text in said if text.startswith(("<", "Traceback"))]
    assert {entry["SYSLOG_IDENTIFIER"] for entry in ours} == {"jwpingd"}


# --- the sandbox -----------------------------------------------------------------------------------


PROBE = """
Type=oneshot
WorkingDirectory=/ci
ExecStart=/usr/bin/python3 -B -m tests.systemd.probe
StandardOutput=truncate:@output@
"""


def probed(unit: str, service: str) -> dict[str, str]:
    """What the probe tells, run as `service` says."""
    output = Path(f"/out/{unit}.json")
    Path(f"/run/systemd/system/{unit}.service").write_text(service.replace("@output@", str(output)))
    systemctl("daemon-reload")
    systemctl("start", f"{unit}.service")
    answer: dict[str, str] = json.loads(output.read_text())
    return answer


def in_the_sandbox(unit: str, more: str = "") -> dict[str, str]:
    """The probe in place of the daemon, in the unit that is installed."""
    service = Path("/usr/lib/systemd/system/jwpingd.service").read_text().partition("[Install]")[0]
    service = re.sub(r"(?m)^(Requires|After)=jwpingd\.socket\n", "", service)
    service = re.sub(r"(?m)^(WatchdogSec|Restart|ExecReload|Type|ExecStart)=.*\n", "", service)
    return probed(unit, service + more + PROBE)


def without_sandbox() -> dict[str, str]:
    """As root, in a unit that restricts nothing."""
    directories = "StateDirectory=probe-bare\nRuntimeDirectory=probe-bare\n"
    return probed("probe-bare", f"[Unit]\nDescription=No sandbox\n[Service]\n{directories}{PROBE}")


PROBED: dict[str, dict[str, str]] = {}


@check
def the_daemon_has_what_it_needs() -> None:
    """Boot id, cgroups of players, netlink, timers, TCP and its directories are open in the sandbox."""
    PROBED["bare"], PROBED["service"] = without_sandbox(), in_the_sandbox("probe-service")
    refused = {name: PROBED["service"][name] for name in probe.NEEDED if PROBED["service"][name] != "ok"}
    assert not refused, refused


@check
def the_kernels_clock_is_read_with_the_drop_in() -> str | None:
    """Forbidden by the unit, allowed by the drop-in of `install --kernel-clock`, which can set nothing."""
    name, other = "ProtectClock: read the kernel's clock state", "ProtectClock: set the clock"
    if PROBED["bare"][name] != "ok":
        return f"nobody can read it here: {PROBED['bare'][name]}"
    assert PROBED["service"][name] == "EPERM", PROBED["service"]
    run(box.PROGRAM, "install", "--kernel-clock")
    text = Path("/usr/lib/systemd/system/jwpingd.service.d/kernel-clock.conf").read_text()
    opened = in_the_sandbox("probe-clock", text.partition("[Service]\n")[2])
    assert opened[name] == "ok" and opened[other] != "ok", opened
    return None


def forbids(name: str) -> Check:
    """The check that the sandbox forbids one thing, where that can be seen."""

    def forbidden() -> str | None:
        bare, service = PROBED["bare"][name], PROBED["service"][name]
        if bare != "ok":
            return f"no effect to be seen here: root without a sandbox is refused too ({bare})"
        if service == "ok" and name.startswith("TasksMax") and not has_pids_controller():
            return "no effect here: this machine has no pids controller for us"
        assert service != "ok", "the service may"
        return None

    return forbidden


def has_pids_controller() -> bool:
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    return os.path.isdir("/sys/fs/cgroup/pids") or (unified.exists() and "pids" in unified.read_text())


CHECKS.update({name: forbids(name) for name in probe.FORBIDDEN})


@check
def memory_is_limited() -> str | None:
    """MemoryMax= reaches the kernel."""
    assert show("MemoryMax") == str(128 << 20)
    if show("MemoryCurrent") == "[not set]":
        return "no effect here: this machine has no memory controller for us, so MemoryMax= limits nothing"
    return None


# --- the end ---------------------------------------------------------------------------------------


@check
def uninstall_leaves_what_is_not_its_own() -> None:
    """Units and sysusers go; the changed configuration and the state stay."""
    refused = run(box.PROGRAM, "uninstall", check=False)
    assert "systemctl --now disable" in refused, refused
    systemctl("--now", "disable", "jwpingd.service", "jwpingd.socket")
    run(box.PROGRAM, "uninstall")
    assert not list(Path("/usr/lib").glob("*/jwpingd.conf")) + list(
        Path("/usr/lib/systemd/system").glob("jwpingd*")
    )
    assert box.CONFIG.exists() and (STATE / "install-id").exists()


@check
def without_systemd_a_shell_line_will_do() -> None:
    """The commands of docs/operations.md for a box without systemd: started again after a kill -9."""
    script = f"export PATH=/opt/jwpingd/bin:$PATH\n{(GIVEN / 'supervised.sh').read_text()}wait"
    shell = subprocess.Popen(["bash", "-c", script], start_new_session=True)
    try:
        for title in ("Supervised", "Supervised again"):
            wait_until(lambda: "delivered" in run(box.PROGRAM, "status", check=False), "it answers")
            assert owner("/run/jwpingd/player.sock") == "jwpingd:jwping-players 660"
            player = Player(title).begin()
            player.ack()
            player.close()
            wait_delivered(title, "e", "s", "gab")
            run("pkill", "-KILL", "-u", "jwpingd")
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        run("pkill", "-KILL", "-u", "jwpingd", check=False)


# --- the parts -------------------------------------------------------------------------------------


def owner(path: str) -> str:
    return run("stat", "-c", "%U:%G %a", path).strip()


@contextlib.contextmanager
def nobody_refused() -> Iterator[None]:
    """Players come and go all the time, fewer than a user may have at once; any refusal fails the check."""
    over, errors = threading.Event(), list[str]()

    def connect() -> None:
        while not over.wait(0.1):
            try:
                Player("Passer-by").close()
            except OSError as error:
                errors.append(str(error))

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not errors, errors


@contextlib.contextmanager
def flash_of_its_own() -> Iterator[None]:
    """The daemon with a small ext4 of its own as state directory, delivered and taken away at the end."""
    systemctl("stop", "jwpingd.service")
    box.ext4(STATE, n_mib=8)
    systemctl("start", "jwpingd.service")
    try:
        yield
        wait_until(lambda: box.status()["waiting"] == 0, "all that was on it is delivered")
    finally:
        systemctl("stop", "jwpingd.service")
        run("umount", str(STATE))
        systemctl("start", "jwpingd.service")


def fill_to_the_reserve(player: Player) -> None:
    """Events until the room that the store keeps for itself is used up too."""
    item = {"event": "playlistItem", "mediaid": "9u6OHIO4"}
    for number in range(400):
        player.send({**item, "title": f"{number} {1000 * 'x'}"})


def report(name: str, verdict: str, detail: str, took_s: float) -> None:
    with RESULTS.open("a") as results:
        line = {"name": name, "verdict": verdict, "detail": detail, "took_s": round(took_s, 2)}
        results.write(json.dumps(line) + "\n")


def run_check(name: str) -> None:
    began_s = time.monotonic()
    try:
        no_effect = CHECKS[name]()
        verdict, detail = ("no effect", no_effect) if no_effect else ("ok", "")
    except Exception:
        verdict, detail = "failed", traceback.format_exc(limit=-3)
    report(name, verdict, detail, time.monotonic() - began_s)


def main() -> None:
    """The first two as the README has it; the rest with short times and a collector that takes notes."""
    names = iter(CHECKS)
    for name in names:
        run_check(name)
        if name == "the_readmes_commands_deliver_a_ping":
            break
    Path("/etc/jwpingd/conf.d/fast.toml").write_text(
        "[uplink]\nstart_jitter_s = 0\nretry_first_s = 0.1\nretry_max_s = 0.3\ntimeout_s = 1\nmax_per_s = 0\n"
    )
    with open(box.PINGS, "wb") as pings:
        collector = subprocess.Popen([box.PROGRAM, "collector", "--json"], stdout=pings)
    with drop_in("90-short-times", f"WatchdogSec={WATCHDOG_S}", "RestartSec=1", "TimeoutAbortSec=1"):
        systemctl("restart", "jwpingd.service")
        for name in names:
            run_check(name)
    collector.terminate()


if __name__ == "__main__":
    main()
