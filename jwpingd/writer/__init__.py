"""The spool as the event loop sees it.

`waiting` is what was submitted and is in no batch yet, a value machine without a loop; `in_doubt` the
batch that is on its way to flash; `purges` what may not leave meanwhile; `in_hand` what is in the uplink's
hands; `offer` what a commit brought for it; `flash` the spool in its thread; `writer` brings what waits to
flash, and hands entries to the uplink.
"""

from jwpingd.writer.flash import RunBlocking
from jwpingd.writer.writer import IsPurged, StoreStatus, Writer

__all__ = ["IsPurged", "RunBlocking", "StoreStatus", "Writer"]
