"""The operator's socket: one JSON object asks, one answers, or many where something is followed.

Only root and the daemon's own user are heard; everybody else is told so.  The protocol has a version,
so that a command of one release says something useful to a daemon of another.  `asking` is the
operator's side, which needs no event loop; `serving`, the daemon's, is imported by the daemon alone.
"""

from jwpingd.control.asking import ask, follow

__all__ = ["ask", "follow"]
