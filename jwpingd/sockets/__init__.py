"""Unix sockets of the daemon: `listening` binds them without a window, `credentials` says who is calling.

An inherited socket (systemd) is `notify`'s.  Standard library only; nothing here blocks on a peer.
Nothing is imported here, because `listening` must be at hand long before the rest is.
"""
