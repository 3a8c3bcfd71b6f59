"""The spool: pings that wait on flash until the collector has them.  Nobody else knows SQL.

`entry` are the values, `spool` is the machine; one noun a file besides: `schema`, `store` (the open
database), `rows`, `aside` (dead letters), `plays` (checkpoints), `room` (folding and dropping), `purge`,
`times`, `counters`, `account`; and for bad days `damage`, `salvage`, `recover`, `pages`, `reserve`.
"""

from jwpingd.spool.account import Account
from jwpingd.spool.entry import Batch, Checkpoint, Entry, Purge, SetAside
from jwpingd.spool.limits import Limits
from jwpingd.spool.spool import Spool

__all__ = ["Account", "Batch", "Checkpoint", "Entry", "Limits", "Purge", "SetAside", "Spool"]
