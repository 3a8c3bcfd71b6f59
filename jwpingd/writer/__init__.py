"""The spool as the event loop sees it.

`waiting` is what was submitted and is not on flash yet, a value machine without a loop; `purges` what
may not leave meanwhile; `writer` brings it there, in a thread, and hands entries to the uplink.
"""

from jwpingd.writer.writer import IsPurged, RunBlocking, StoreStatus, Writer

__all__ = ["IsPurged", "RunBlocking", "StoreStatus", "Writer"]
