"""The clocks of the box: which to believe, and how to wait on one that standby does not stop.

`trust` decides and `bounds` reckons with the collector's Date, both pure; `reading` asks the kernel,
`timers` waits, `machine` puts them together.
"""

from jwpingd.clock.machine import Clock, Readers, SystemReaders, differs
from jwpingd.clock.reading import boot_id, boottime_ms
from jwpingd.clock.trust import BUILD_MS, MAX_ERROR_MS, STEP_MS, ClockState, Evidence, judge

__all__ = [
    "BUILD_MS",
    "MAX_ERROR_MS",
    "STEP_MS",
    "Clock",
    "ClockState",
    "Evidence",
    "Readers",
    "SystemReaders",
    "boot_id",
    "boottime_ms",
    "differs",
    "judge",
]
