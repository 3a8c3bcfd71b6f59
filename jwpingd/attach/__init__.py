"""Players that know nothing of jwpingd, told to it from outside.

`media` finds an item's media id, `mpv` turns mpv's messages into events (both pure), `ipc` is mpv's
socket, `forwarding` joins them to `jwpingd.client`.
"""

from jwpingd.attach.forwarding import Forwarding
from jwpingd.attach.ipc import Ipc
from jwpingd.attach.media import MediaRule

__all__ = ["Forwarding", "Ipc", "MediaRule"]
