"""The spool: pings that wait on flash until the collector has them.  Nobody else knows SQL.

`entry` are the values, `spool` is the machine, `changes` is one commit of it.  One noun a file besides:
`schema`, `store` (the open database), `log` (the file of its write-ahead log), `rows`, `aside` (dead
letters), `plays` (checkpoints), `boots`, `times`, `counters`, `account`, `limits`, `room` (folding and
dropping), `purge`, `upkeep` (now and then).
For bad days: `opening` decides with `damage` what a file is, `salvage` builds a new store of what
`carrying` brings over from it, with `recover` and `pages`; `files` moves, `faults` names errors, `reserve`
holds space for a full disk.
"""

from jwpingd.spool.account import Account
from jwpingd.spool.entry import Batch, Checkpoint, Entry, Purge, SetAside, changed
from jwpingd.spool.limits import Limits
from jwpingd.spool.spool import Spool

__all__ = ["Account", "Batch", "Checkpoint", "Entry", "Limits", "Purge", "SetAside", "Spool", "changed"]
