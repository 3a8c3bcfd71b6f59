"""The socket's protocol: bytes from a player → events, and answers → bytes.  No I/O, no clock.

`lines` cuts the stream, `objects` reads one line as JSON, `decode` and `hello` make the event,
`values` holds what keys may hold, `replies` writes the answers, `encode` the lines of a recording.
Nobody else knows a key of the socket.
The protocol itself is in `docs/protocol.md`.
"""

from jwpingd.wire.encode import hello_line, play_line
from jwpingd.wire.lines import LineReader, Received, Rejected
from jwpingd.wire.replies import ack, error_reply

__all__ = ["LineReader", "Received", "Rejected", "ack", "error_reply", "hello_line", "play_line"]
