"""A root file system that is somewhere: files put into it and taken out, and the record of it.

Paths are those of the box, "/etc/…"; `Rootfs` says where they are now.  Nothing is written outside,
whatever symbolic links an image has.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jwpingd.errors import OperatorError

RECORD = "/usr/share/jwpingd/installed.json"
_FILE_MODE, _DIRECTORY_MODE = 0o644, 0o755


@dataclass(slots=True)
class Record:
    """What was put: files with the SHA-256 of their content, and the directories made for them."""

    files: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)


class Rootfs:
    """The file system below `directory`.  Every method raises OperatorError that names the path."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(os.path.realpath(directory))  # Unlike resolve(), it takes links that go round.
        if not self.directory.is_dir():
            raise OperatorError(f"--root {directory}: there is no such directory")

    @property
    def is_running_system(self) -> bool:
        """Whether it is the one that runs here, not an image."""
        return self.directory == Path("/")

    def at(self, path: str) -> Path:
        """Where `path` of the box is now."""
        place = self.directory / path.lstrip("/")
        if place != self.directory and not self._holds(place.parent):
            raise OperatorError(
                f"{place.parent} is a link that leads out of {self.directory}; run this inside the image "
                "(chroot), or make the link relative"
            )
        return place

    def _holds(self, place: Path) -> bool:
        return Path(os.path.realpath(place)).is_relative_to(self.directory)

    def digest(self, path: str) -> str | None:
        """SHA-256 of a file's content; None where there is nothing.

        A link, perhaps to another partition, is somebody's work: it counts as a file like no other.
        """
        place = self.at(path)
        with _in_words(place):
            if place.is_symlink():
                return "a link"
            return digest(place.read_bytes()) if os.path.exists(place) else None

    def write(self, path: str, content: bytes) -> list[str]:
        """Put a file there, whole or not at all; the directories that had to be made."""
        place = self.at(path)
        with _in_words(place):
            made = list(self.make_directory(os.path.dirname(path)))
            unfinished = place.with_name(f".{place.name}.new")
            try:
                _write_synced(unfinished, content)
                os.replace(unfinished, place)
            except OSError:
                unfinished.unlink(missing_ok=True)
                raise
        return made

    def make_directory(self, path: str) -> Iterator[str]:
        """Make what is missing of it, open to read whatever the umask; each that had to be made."""
        place = self.at(path)
        if place.is_dir():
            return
        yield from self.make_directory(os.path.dirname(path))
        with _in_words(place):
            place.mkdir()
            place.chmod(_DIRECTORY_MODE)
        yield path

    def remove(self, path: str) -> None:
        """Remove a file; one that is gone already is fine."""
        with _in_words(self.at(path)):
            self.at(path).unlink(missing_ok=True)

    def remove_directory(self, path: str) -> bool:
        """Remove a directory if it is empty; whether it did."""
        with contextlib.suppress(OSError):
            self.at(path).rmdir()
            return True
        return False

    def read_record(self) -> Record:
        """What earlier calls of `install` put; empty where none did."""
        place = self.at(RECORD)
        with _in_words(place):
            try:
                kept: Any = json.loads(place.read_bytes())
                return Record(dict(kept["files"]), set(kept["directories"]))
            except FileNotFoundError:
                return Record()
            except (ValueError, TypeError, KeyError) as exc:
                raise OperatorError(f"{place} is damaged; remove it and install again") from exc

    def write_record(self, record: Record) -> None:
        """Keep it, with the directories that it needs itself."""
        record.directories.update(self.make_directory(os.path.dirname(RECORD)))
        kept = {"files": dict(sorted(record.files.items())), "directories": sorted(record.directories)}
        self.write(RECORD, json.dumps(kept, indent=1).encode() + b"\n")


def _write_synced(place: Path, content: bytes) -> None:
    with place.open("wb") as file:
        os.fchmod(file.fileno(), _FILE_MODE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def digest(content: bytes) -> str:
    """As the record has it."""
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _in_words(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise OperatorError(f"{exc.filename or place}: {exc.strerror}; mend that, and say it again") from exc
