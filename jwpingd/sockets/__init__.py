"""Unix sockets of the daemon: bound without a window, one daemon per directory, and who is calling.

An inherited socket (systemd) is `notify`'s.  Standard library only; nothing here blocks on a peer.
"""

from jwpingd.sockets.credentials import Peer, has_pidfd, is_still_there, peer
from jwpingd.sockets.listening import BACKLOG, MAX_PATH_BYTES, bind, lock

__all__ = ["BACKLOG", "MAX_PATH_BYTES", "Peer", "bind", "has_pidfd", "is_still_there", "lock", "peer"]
