"""The only glue: builds the objects, starts the tasks, stops them in order.

`daemon` is the life of the process, `box` what this box adds to every ping, `privacy` its consent and
ids, `timekeeper` when pings get their time, `trusted_time` what is kept of it, `status` what an
operator is told.
"""

from jwpingd.daemon.daemon import Daemon

__all__ = ["Daemon"]
