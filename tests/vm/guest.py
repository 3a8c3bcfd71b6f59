"""The story that `clock-check` goes through, as the first process of a virtual machine.

The truth is the time at which the machine was told to start, plus CLOCK_BOOTTIME.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRUE_BOOT_S = 1_795_608_000.0  # 2026-11-25 12:00:00 UTC
CLOCK_BOOTTIME = time.CLOCK_BOOTTIME
PATIENCE_S = 120.0  # an emulated processor
STANDBY_S = 20
HOUR_OF_1970_S = 3600.0  # The kernel sets no clock to less than its uptime.
STATE = Path("/run/jwpingd")
ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4"}


def true_s() -> float:
    return TRUE_BOOT_S + time.clock_gettime(CLOCK_BOOTTIME)


def set_clock(to_s: float) -> None:
    """As a user does: the kernel takes back its word that the clock is synchronised."""
    time.clock_settime(time.CLOCK_REALTIME, to_s)


def vouch() -> None:
    """As a time service does after it has set the clock: adjtimex with ADJ_STATUS, STA_UNSYNC clear."""

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("longs", ctypes.c_long * 4),
            ("status", ctypes.c_int),
            ("_rest", ctypes.c_char * 512),
        )

    timex = Timex(modes=0x0010 | 0x0004 | 0x0008)  # ADJ_STATUS, ADJ_MAXERROR, ADJ_ESTERROR
    timex.status = 0x0001  # STA_PLL
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")


class Box:
    """The daemon, its collector, and the pings that arrived there."""

    def __init__(self) -> None:
        self.environment = os.environ | {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": "/guest/lib",
            "STATE_DIRECTORY": "/var/lib/jwpingd",
            "RUNTIME_DIRECTORY": str(STATE),
            "CONFIGURATION_DIRECTORY": "/etc/jwpingd",
        }
        self.true_ms: dict[str, float] = {}
        self.daemon: subprocess.Popen[bytes] | None = None
        with open("/run/pings", "wb") as pings:
            self.collector = subprocess.Popen(
                self._jwpingd("collector", "--port", "8443", "--json", "--certfile", "/guest/both.pem"),
                env=self.environment,
                stdout=pings,
            )

    def start(self) -> None:
        settings = (
            "analytics_id=a17e8PTFFffxLgpVuA4vVw",
            "collector_url=https://localhost:8443",
            "tls.ca_file=/guest/client.pem",
            "uplink.retry_max_s=5",
            "uplink.start_jitter_s=0",
            "log.level=debug",
        )
        options = [part for setting in settings for part in ("--set", setting)]
        with open("/run/log", "ab") as log:
            self.daemon = subprocess.Popen(self._jwpingd("run", *options), env=self.environment, stderr=log)
        wait_until(lambda: self._ask() is not None, "the daemon answers")

    def stop(self) -> None:
        assert self.daemon is not None
        self.daemon.terminate()
        assert self.daemon.wait(PATIENCE_S) == 0

    def status(self) -> dict[str, Any]:
        answer = self._ask()
        assert answer is not None
        return answer

    def play(self, title: str) -> None:
        """One ping, acknowledged."""
        self.true_ms[title] = true_s() * 1000
        with socket.socket(socket.AF_UNIX) as player:
            player.settimeout(PATIENCE_S)
            player.connect(str(STATE / "player.sock"))
            player.sendall(json.dumps({**ITEM, "title": title, "id": 1}).encode() + b"\n")
            assert player.recv(100) == b'{"ack":1}\n'

    def arrived(self) -> dict[str, float]:
        """Title → how wrong its `sa` is, ms."""
        lines = [json.loads(line) for line in Path("/run/pings").read_text().splitlines()]
        params = [line["params"] for line in lines if "params" in line]
        return {of["t"]: int(of["sa"]) - self.true_ms[of["t"]] for of in params}

    def _ask(self) -> dict[str, Any] | None:
        sys.path[:1] = ["/guest/lib"]
        from jwpingd import control
        from jwpingd.errors import OperatorError

        try:
            answer: dict[str, Any] = control.ask(STATE / "control.sock", "status")
        except OperatorError:
            return None
        return answer

    @staticmethod
    def _jwpingd(*arguments: str) -> list[str]:
        return ["/usr/bin/python3", "-m", "jwpingd", *arguments]


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


def say(text: str) -> None:
    print(text, flush=True)


def check_arrived(box: Box, *titles: str) -> None:
    wait_until(lambda: set(titles) <= box.arrived().keys(), f"{titles} arrived")
    for title in titles:
        error_ms = box.arrived()[title]
        assert abs(error_ms) <= 1000, f"{title}: {error_ms:.0f} ms"
        say(f"ok: {title}: sa is wrong by {error_ms:.0f} ms")


def state_becomes(box: Box, name: str) -> None:
    wait_until(lambda: box.status()["clock"]["state"] == name, f"the clock is {name}")
    clock = box.status()["clock"]
    say(f"ok: the clock shows as {clock['state']}: {clock['reason']}")


def story(box: Box) -> None:
    set_clock(HOUR_OF_1970_S)
    box.start()
    box.play("made in 1970")
    state_becomes(box, "implausible")
    time.sleep(5)
    assert not box.arrived() and not box.status()["uplink"]["retries"]
    say("ok: no ping was tried in 1970")
    set_clock(true_s())
    vouch()
    stepped_s = time.monotonic()
    state_becomes(box, "trusted")
    say(f"log: the step of 56 years was acted on within {time.monotonic() - stepped_s:.1f} s")
    check_arrived(box, "made in 1970")

    set_clock(true_s() - 3600)
    box.play("made after a step back by an hour")
    state_becomes(box, "trusted")
    check_arrived(box, "made after a step back by an hour")

    set_clock(HOUR_OF_1970_S)
    box.play("made after a step back to 1970")
    check_arrived(box, "made after a step back to 1970")  # over the connection that was verified before
    box.stop()
    box.start()
    box.play("made in 1970 by a restarted daemon")
    state_becomes(box, "implausible")
    set_clock(true_s())
    vouch()
    check_arrived(box, "made in 1970 by a restarted daemon")

    box.play("made before standby")
    stand_by(STANDBY_S)
    box.play("made after standby")
    check_arrived(box, "made before standby", "made after standby")
    wait_until(lambda: "woke up" in Path("/run/log").read_text(), "the daemon noticed that the box woke up")
    say("ok: the daemon noticed that the box woke up")

    wait_until(lambda: box.status()["waiting"] == 0, "nothing waits")
    account = box.status()
    gone = account["delivered"] + account["set_aside"] + account["folded"] + sum(account["dropped"].values())
    assert account["accepted"] == gone + account["waiting"] == 6 and account["clock_guessed"] == 0
    say("ok: 6 accepted = 6 delivered, 0 guessed")
    box.stop()


def stand_by(duration_s: int) -> None:
    """Suspend to memory, until the battery clock's alarm."""
    before_s = time.clock_gettime(CLOCK_BOOTTIME) - time.monotonic()
    alarm = Path("/sys/class/rtc/rtc0/wakealarm")
    alarm.write_text("0\n")
    alarm.write_text(f"+{duration_s}\n")
    Path("/sys/power/state").write_text("mem\n")
    slept_s = time.clock_gettime(CLOCK_BOOTTIME) - time.monotonic() - before_s
    assert slept_s > duration_s / 2, f"in standby for {slept_s:.1f} s"
    say(f"log: in standby for {slept_s:.1f} s by BOOTTIME minus MONOTONIC")


def main() -> None:
    for kind, place in (("tmpfs", "/run"), ("tmpfs", "/tmp"), ("tmpfs", "/etc/jwpingd")):
        os.makedirs(place, exist_ok=True)
        subprocess.run(["/bin/mount", "-t", kind, kind, place], check=True)
    os.makedirs("/var/lib/jwpingd", exist_ok=True)
    os.makedirs(STATE, exist_ok=True)
    Path("/etc/hosts").write_text("127.0.0.1 localhost\n")
    subprocess.run(
        ["/usr/sbin/ip", "link", "set", "lo", "up"], check=True, env={"PATH": "/usr/bin:/usr/sbin"}
    )
    try:
        story(Box())
        say("all held")
    except BaseException:
        say("FAILED: " + traceback.format_exc().replace("\n", "\nlog: "))
        for name in ("/run/log", "/run/pings"):
            if os.path.exists(name):
                say("log: " + Path(name).read_text()[-3000:].replace("\n", "\nlog: "))
    finally:
        os.sync()
        Path("/proc/sysrq-trigger").write_text("o")
        time.sleep(60)


if __name__ == "__main__":
    main()
