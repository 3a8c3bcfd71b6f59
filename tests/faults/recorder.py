"""What a process does to the files below a directory, in order: the C library in between writes it down.

The record is complete: `disk` plays it back and compares with the files that are there in the end.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("recorder.c")
_HEADER = struct.Struct("<BQqII")


@dataclass(frozen=True, slots=True)
class Record:
    """One operation that was done.

    `kind`: c create, w write, t truncate to `offset`, a allocate up to `offset`, s sync, f a sync that
    failed, d sync of a directory, r rename, u unlink, m make a directory, n a note of the process.
    `inode` names the file; `first` is content, a path below the directory, or the note; `second` the
    new path of a rename.
    """

    kind: str
    inode: int
    offset: int
    first: bytes
    second: bytes

    @property
    def note(self) -> dict[str, Any]:
        """What the process had to say."""
        value: dict[str, Any] = json.loads(self.first)
        return value


def can_record() -> bool:
    """Whether there is a compiler here for the library."""
    return shutil.which("gcc") is not None


def build(directory: Path) -> Path:
    """The library, compiled."""
    library = directory / "recorder.so"
    if not library.exists():
        command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(library), str(SOURCE)]
        subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return library


def record(library: Path, root: Path, log: Path, module: str, *arguments: str) -> list[Record]:
    """Run `python -m module arguments` and return what it did below `root`."""
    environment = os.environ | {
        "LD_PRELOAD": str(library),
        "RECORD_ROOT": str(root.resolve()),
        "RECORD_LOG": str(log),
    }
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, env=environment)
    return list(read(log))


def read(log: Path) -> Iterator[Record]:
    """The records of a log."""
    content, at = log.read_bytes(), 0
    while at < len(content):
        kind, inode, offset, n_first, n_second = _HEADER.unpack_from(content, at)
        at += _HEADER.size
        first, second = content[at : at + n_first], content[at + n_first : at + n_first + n_second]
        at += n_first + n_second
        yield Record(chr(kind), inode, offset, first, second)


class Recorded:
    """What a recorded process may ask of the library in it.  Without the library it does nothing."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._note = getattr(library, "record_note", None)
        self._fail = getattr(library, "record_fail", None)

    def note(self, **values: Any) -> None:
        """Put a note into the record, at this point of it."""
        if self._note is not None:
            text = json.dumps(values).encode()
            self._note(text, ctypes.c_size_t(len(text)))

    def fail(self, kind: str, countdown: int, error: int) -> None:
        """Have the `countdown`-th write ("w") or sync ("s") from now on fail with `error`."""
        if self._fail is not None:
            self._fail(ctypes.c_char(kind.encode()), countdown, error)
