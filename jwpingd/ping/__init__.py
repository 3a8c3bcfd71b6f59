"""Pings: what one is, and how it is written on the wire.  Nothing outside this package knows a wire key.

`table` holds the one list of parameters; `target` writes, stamps, folds and reads request targets;
`restriction` takes out what may no longer be told.
"""

from jwpingd.ping.device import DEVICE_KEYS, device_parameters
from jwpingd.ping.restriction import Restriction, embed_id
from jwpingd.ping.table import BUCKETS, EVENTS, KEYS, LISTED_SYSTEMS, Event, Key, violations
from jwpingd.ping.target import fold, parameters, read, session_parameters, stamp, target
from jwpingd.ping.value import Facts, Ping, Progress, facts_from_json, facts_to_json

__all__ = [
    "BUCKETS",
    "DEVICE_KEYS",
    "EVENTS",
    "KEYS",
    "LISTED_SYSTEMS",
    "Event",
    "Facts",
    "Key",
    "Ping",
    "Progress",
    "Restriction",
    "device_parameters",
    "embed_id",
    "facts_from_json",
    "facts_to_json",
    "fold",
    "parameters",
    "read",
    "session_parameters",
    "stamp",
    "target",
    "violations",
]
