"""The machine-id, which tells a box from the image that it was copied from."""

from __future__ import annotations

from pathlib import Path

MAX_BYTES = 64  # 32 digits and a newline


def machine_id(root: Path = Path("/")) -> str | None:
    """The id in `root`/etc/machine-id (machine-id(5)); None where there is none that lasts.

    systemd mounts one from /run over it while /etc cannot be written: that one is another after every
    start, so nothing may be tied to it.
    """
    path = root / "etc/machine-id"
    try:
        with path.open("rb") as file:
            found = file.read(MAX_BYTES).decode("ascii", "replace").strip()
        is_transient = _device(path) == _device(root / "run") != _device(root / "etc")
    except OSError:
        return None
    return None if is_transient or found in ("", "uninitialized") else found


def _device(path: Path) -> int | None:
    """The number of the file system that it is on; None where there is no such path."""
    try:
        return path.stat().st_dev
    except OSError:
        return None
