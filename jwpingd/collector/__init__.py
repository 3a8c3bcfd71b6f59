"""A local collector: takes pings over HTTP, checks and totals them as the OTT report does.

For integrators, for the demo and for tests; never part of the daemon.  `Collector` is the desk that
takes pings, `serve` answers HTTP for it, `Weather` is the bad day it may be given.
"""

from jwpingd.collector.intake import Collector, Received
from jwpingd.collector.rules import Checker, Verdict
from jwpingd.collector.server import bind, serve
from jwpingd.collector.totals import Totals
from jwpingd.collector.weather import Fate, Weather

__all__ = [
    "Checker",
    "Collector",
    "Fate",
    "Received",
    "Totals",
    "Verdict",
    "Weather",
    "bind",
    "serve",
]
