"""A disk with a volatile cache: what it may hold after the power went, given all that was done before.

The laws, those of POSIX and no kinder: content is safe once its file was synced; a name is safe once
its directory was.  Of everything else the disk has kept any part.  A file system that keeps names in
order (every journalling one) keeps a prefix of the changes of names.  After a sync that failed, each
write before it is on the disk or is lost for ever, whatever is synced later.
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.recorder import Record

Image = dict[str, bytes]
"""Path below the directory → content."""


class Loss(enum.Enum):
    """What becomes of what was not synced."""

    ALL = "all unsynced writes are lost"
    NONE = "none is lost (the process was killed)"
    ANY = "any of them are lost, whatever their order"
    TORN_512 = "torn at 512 bytes"
    TORN_4096 = "torn at 4 KiB"


_BLOCK_BYTES = {Loss.TORN_512: 512, Loss.TORN_4096: 4096}


@dataclass(frozen=True, slots=True)
class _Change:
    """`content` written at `offset`; None: the file cut or stretched to `offset`."""

    offset: int
    content: bytes | None
    is_growth_only: bool = False

    def apply(self, data: bytearray) -> None:
        if self.content is None:
            if len(data) > self.offset and not self.is_growth_only:
                del data[self.offset :]
            _stretch(data, self.offset)
            return
        _stretch(data, self.offset)
        data[self.offset : self.offset + len(self.content)] = self.content

    def size_after(self, size: int) -> int:
        if self.content is None:
            return max(size, self.offset) if self.is_growth_only else self.offset
        return max(size, self.offset + len(self.content))

    def touches(self, start: int, end: int) -> bool:
        if self.content is None:
            return end > self.offset
        return self.offset < end and start < self.offset + len(self.content)


@dataclass(slots=True)
class _File:
    """`safe` is on the disk, `cached` are changes that may not be."""

    safe: bytearray = field(default_factory=bytearray)
    cached: list[_Change] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.cached:
            change.apply(self.safe)
        self.cached = []

    def fail_sync(self, fate: random.Random) -> None:
        self.safe = bytearray(self.after(Loss.ANY, fate))
        self.cached = []

    def after(self, loss: Loss, fate: random.Random) -> bytes:
        """What is left of it."""
        if loss in _BLOCK_BYTES:
            return self._torn(_BLOCK_BYTES[loss], fate)
        data = bytearray(self.safe)
        for change in self.cached:
            if loss is Loss.NONE or (loss is Loss.ANY and fate.random() < 0.5):
                change.apply(data)
        return bytes(data)

    def _torn(self, block_bytes: int, fate: random.Random) -> bytes:
        """Each block as it was at some time since the last sync, independently of the others."""
        if not self.cached:
            return bytes(self.safe)
        n_sizes = fate.randint(0, len(self.cached))
        size = len(self.safe)
        for change in self.cached[:n_sizes]:
            size = change.size_after(size)
        return b"".join(
            self._block(start, min(start + block_bytes, size), n_sizes, fate)
            for start in range(0, size, block_bytes)
        )

    def _block(self, start: int, end: int, n_sizes: int, fate: random.Random) -> bytes:
        """Writes reach a block one by one; what cuts the file does it to all its blocks at once."""
        touching = [idx for idx, change in enumerate(self.cached) if change.touches(start, end)]
        n_written = fate.choice([0, *(idx + 1 for idx in touching)])
        block = bytearray(self.safe[start:end].ljust(end - start, b"\0"))
        for idx in touching:
            if idx < (n_sizes if self.cached[idx].content is None else n_written):
                _lay(block, start, self.cached[idx])
        return bytes(block)


@dataclass(frozen=True, slots=True)
class _Naming:
    """`name` means `file` from now on (None: nothing), and `old_name`, if any, means nothing."""

    name: str
    file: _File | None
    old_name: str = ""

    def apply(self, names: dict[str, _File]) -> None:
        names.pop(self.old_name, None)
        names.pop(self.name, None)
        if self.file is not None:
            names[self.name] = self.file


class Disk:
    """The files of one directory, as a running process sees them and as they are for sure.

    `directory` holds them when the recording begins; all of that is safe.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self._fate = random.Random(seed)
        self._now: dict[str, _File] = {}
        self._by_inode: dict[int, _File] = {}
        for path in directory.iterdir():
            file = _File(bytearray(path.read_bytes()))
            self._now[path.name] = self._by_inode[path.stat().st_ino] = file
        self._safe = dict(self._now)
        self._unsafe_names: list[_Naming] = []

    def do(self, record: Record) -> None:
        """Have this happen."""
        match record.kind:
            case "n":
                pass
            case "d":
                self._safe = dict(self._now)
                self._unsafe_names = []
            case "c" | "r" | "u":
                naming = self._naming(record)
                naming.apply(self._now)
                self._unsafe_names.append(naming)
            case _:
                _do_to_file(self._by_inode[record.inode], record, self._fate)

    def now(self) -> Image:
        """What the running process sees, but for what a failed sync has lost unseen."""
        return {name: file.after(Loss.NONE, self._fate) for name, file in self._now.items()}

    def cut(self, loss: Loss, fate: random.Random) -> Image:
        """Pull the plug."""
        names = dict(self._safe)
        n_kept = {Loss.ALL: 0, Loss.NONE: len(self._unsafe_names)}.get(loss)
        if n_kept is None:
            n_kept = fate.randint(0, len(self._unsafe_names))
        for naming in self._unsafe_names[:n_kept]:
            naming.apply(names)
        return {name: file.after(loss, fate) for name, file in names.items()}

    def _naming(self, record: Record) -> _Naming:
        name = record.first.decode()
        if record.kind == "c":
            self._by_inode[record.inode] = _File()
            return _Naming(name, self._by_inode[record.inode])
        if record.kind == "u":
            return _Naming(name, None)
        return _Naming(record.second.decode(), self._now[name], name)


def _do_to_file(file: _File, record: Record, fate: random.Random) -> None:
    match record.kind:
        case "w":
            file.cached.append(_Change(record.offset, record.first))
        case "t":
            file.cached.append(_Change(record.offset, None))
        case "a":
            file.cached.append(_Change(record.offset, None, is_growth_only=True))
        case "s":
            file.sync()
        case "f":
            file.fail_sync(fate)
        case kind:
            raise ValueError(f"nothing is known of records of kind '{kind}'")


def write_image(image: Image, directory: Path) -> None:
    """Put the files there."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in image.items():
        (directory / name).write_bytes(content)


def read_image(directory: Path) -> Image:
    """The files that are there."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def _stretch(data: bytearray, size: int) -> None:
    data.extend(bytes(max(0, size - len(data))))


def _lay(block: bytearray, start: int, change: _Change) -> None:
    """Do to a block that begins at `start` what the change does to it; its size stays."""
    if change.content is None:
        if not change.is_growth_only:
            first = max(0, change.offset - start)
            block[first:] = bytes(len(block) - first)
        return
    first, end = max(start, change.offset), min(start + len(block), change.offset + len(change.content))
    block[first - start : end - start] = change.content[first - change.offset : end - change.offset]
