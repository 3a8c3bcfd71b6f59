"""All checks on the booted box, in order; each is one test outside (test_service.py).

Run there as root by the system's Python.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.systemd import (
    check_access,
    check_bad_days,
    check_configuration,
    check_installing,
    check_leaving,
    check_life,
    check_sandbox,
)
from tests.systemd.box import PINGS, PROGRAM, WATCHDOG_S, drop_in, systemctl
from tests.systemd.register import CHECKS, run_check

MODULES = (
    check_installing,
    check_access,
    check_life,
    check_bad_days,
    check_configuration,
    check_sandbox,
    check_leaving,
)
NAMES = [name for module in MODULES for name in CHECKS if CHECKS[name].__module__ == module.__name__]
FAST = """
[uplink]
start_jitter_s = 0
retry_first_s = 0.1
retry_max_s = 0.3
timeout_s = 1
max_per_s = 0
"""


def main() -> None:
    """The installing as the README has it; the rest with short times and a collector that takes notes."""
    names = iter(NAMES)
    for name in names:
        run_check(name)
        if name == check_installing.LAST:
            break
    Path("/etc/jwpingd/conf.d/fast.toml").write_text(FAST)
    with PINGS.open("wb") as pings:
        collector = subprocess.Popen([PROGRAM, "collector", "--json"], stdout=pings)
    with drop_in("90-short-times", f"WatchdogSec={WATCHDOG_S}", "RestartSec=1", "TimeoutAbortSec=1"):
        systemctl("restart", "jwpingd.service")
        for name in names:
            run_check(name)
    collector.terminate()


if __name__ == "__main__":
    main()
