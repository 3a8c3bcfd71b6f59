"""The state machine of one player: events and moments in, pings out.  Knows no clock, disk or socket.

`player` holds what outlives a play (embed, numbering), `play` one item from start to end, `ordinary`
and `live` how seconds are credited, `quantiles` the thresholds, `state` a play that is set down and
taken up again.  The rules are those of docs/ping-interface.md, §5; their numbers stand beside the code.
"""

from jwpingd.session.player import Session
from jwpingd.session.state import dump, restore

__all__ = ["Session", "dump", "restore"]
