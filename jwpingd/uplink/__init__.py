"""Delivery: the oldest entries first, a few GETs at a time, until the collector has each of them.

`link` knows when the way is open, `lanes` which entry is next, `http` how a request is made; both
former are pure.  `loop` is the only one that acts.
"""

from jwpingd.uplink.loop import Uplink
from jwpingd.uplink.ports import Clock, CollectorTime, Options, Outcome, Queue, UplinkStatus

__all__ = ["Clock", "CollectorTime", "Options", "Outcome", "Queue", "Uplink", "UplinkStatus"]
