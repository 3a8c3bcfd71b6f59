"""Unix sockets of the daemon: `listening` binds them without a window, `credentials` says who is calling,
`door` is one that may be bound again, `removal` tells when that is due.

An inherited socket (systemd) is `notify`'s.  Nothing here blocks on a peer.
Nothing is imported here, because `listening` must be at hand long before the rest is.
"""
