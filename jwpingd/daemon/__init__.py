"""The only glue: builds the objects, starts the tasks, stops them in order.

`daemon` is the life of the process, `assembly` makes from the configuration what each room is given,
and `threads` is where whatever blocks is done.
What pings are told by: `box`, with `box_device`, `app` and `caller`; `privacy` is its consent and ids.
What pings wait for: `store_life`, `timekeeper` with `trusted_time`, `delivery`.
Who is told: `status` and `queue` answer operators, `status_line` and `watchdog` speak to systemd.
"""

from jwpingd.daemon.daemon import Daemon

__all__ = ["Daemon"]
