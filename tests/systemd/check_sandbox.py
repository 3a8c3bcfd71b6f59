"""What the unit's sandbox forbids where root could, and what it must not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from tests.systemd import probe
from tests.systemd.box import PROGRAM, run, show, systemctl
from tests.systemd.register import CHECKS, Check, check

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
    run(PROGRAM, "install", "--kernel-clock")
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
