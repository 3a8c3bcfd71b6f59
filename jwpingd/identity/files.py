"""Small files of the state directory, read and replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

MAX_BYTES = 256  # an id has 8 to 36 bytes, a fingerprint 64; what is longer is not ours


def read_words(path: Path) -> list[str]:
    """The words of the file.  Raises OSError, and ValueError where it is not ASCII."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES).decode("ascii").split()


def replace_durably(path: Path, text: str) -> None:
    """Replace the file: after a power cut it is the old one or the new one.  Raises OSError."""
    unfinished = path.with_name(f"{path.name}.new")
    with unfinished.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text.encode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    _sync(path.parent)


def remove_durably(path: Path) -> None:
    """Remove the file if it is there.  Raises OSError."""
    path.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
