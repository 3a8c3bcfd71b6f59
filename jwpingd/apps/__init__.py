"""Which program is at the other end of the socket, by the evidence of the kernel and of the box's files.

`process` collects evidence while the peer lives: cheap, a few files of /proc.  `detect` makes an app of
it, and may read large files.  Both block, and neither raises.  What a player says of itself in `hello`
and what the operator configured come before all this (ping interface §8) and are not known here.
`root` stands for `/`, so that tests can bring a box of their own.
"""

from __future__ import annotations

from pathlib import Path

from jwpingd.apps.app import App
from jwpingd.apps.files import Files
from jwpingd.apps.process import Process, process, user_name
from jwpingd.apps.rules import matches

__all__ = ["App", "Files", "Process", "detect", "matches", "process", "user_name"]


def detect(process: Process, root: Path = Path("/")) -> App | None:
    """The app that the process is, None where nothing tells.  May read some 64 MiB; never raises."""
    # Most players say what they are, and the daemon starts on slow flash.
    from jwpingd.apps import detection

    return detection.detect(process, root)
