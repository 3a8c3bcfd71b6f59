"""The players' socket: connections in, pings to the writer.

`server` admits connections, and `connection` reads one.  `dialogue` is what is said on it, by its
`players`, with its `acks` and `refusals`; `claims` keeps what its player says of itself, `caller` what
the daemon knows of that player, `replies` answers without waiting.  `player` is one player and what
survives of it, `plays` brings what all of them make on its way to flash, `held` keeps plays across a cut
and `finished` their ends.  `tap` shows an operator what passes.
"""

from jwpingd.server.caller import Caller
from jwpingd.server.claims import Claims
from jwpingd.server.dialogue import Rules
from jwpingd.server.plays import Plays
from jwpingd.server.server import Limits, Server
from jwpingd.server.tap import Tap

__all__ = ["Caller", "Claims", "Limits", "Plays", "Rules", "Server", "Tap"]
