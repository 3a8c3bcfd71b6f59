"""The spool as the event loop sees it.

`waiting` is what was submitted and is not on flash yet, a value machine without a loop; `writer` brings
it there, in a thread, and hands entries to the uplink.
"""

from jwpingd.writer.writer import RunBlocking, StoreStatus, Writer

__all__ = ["RunBlocking", "StoreStatus", "Writer"]
