"""A machine that is in use while others are measured, as a box is that plays a film.

On a virtual machine that does nothing else, what wakes up after half a second finds nothing of itself in
any cache, and memory itself far away: thirty `json.loads` took 40 us one after the other and 1,900 us after
such a sleep; beside a program that computes, 280 us.  That is the machine's, and wandered tenfold between
runs.  So each core has something to compute whenever nobody else wants it.  It gives way to everybody else
at once (SCHED_IDLE, sched(7)).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

LOOP = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
numbers = list(range(3_000_000))
while os.getppid() == int(sys.argv[2]):
    sum(numbers[::7])
"""


@contextlib.contextmanager
def cores() -> Iterator[None]:
    """Within, each core that this process may run on has something to do."""
    command = [sys.executable, "-S", "-c", LOOP]
    parent = str(os.getpid())
    loops = [subprocess.Popen([*command, str(cpu), parent]) for cpu in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
