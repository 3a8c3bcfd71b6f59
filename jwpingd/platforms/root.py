"""The file system of one box: bounded reading that never leaves its root, and each file only once.

Source of the rules: docs/platform-sources.md, §3.  A file may be absent, empty or
half-written at boot; whatever cannot be read is `Absent`, with the reason.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

MAX_BYTES = 64 * 1024
"""Far above any metadata file; what lies beyond is not read."""

MAX_LINKS = 40
"""As many symbolic links as the kernel follows (path_resolution(7))."""

_THIS_BOX = Path("/")
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_REASONS = {
    FileNotFoundError: "no such file",
    NotADirectoryError: "no such file",
    IsADirectoryError: "not a file",
    PermissionError: "not readable for this user",
}


class Absent(Exception):
    """A place gives nothing; the message says why, in a few words."""


class Attempt(NamedTuple):
    """A place that was looked at in vain, for which field, and why it gave nothing."""

    field: str
    source: str
    reason: str


class Root:
    """The box whose file system lies at `directory`; "/" is this one.

    Make one for each look at the box: what was read once is not read again, and `tried` holds all that
    was looked at in vain.  `environ` is the daemon's environment, which says nothing of any other box
    and is empty there.
    """

    def __init__(self, directory: Path, environ: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.tried: list[Attempt] = []
        self._is_this_box = directory == _THIS_BOX
        self._environ = environ if environ is not None else os.environ if self._is_this_box else {}
        self._files: dict[str, bytes | str] = {}
        self._made: dict[Hashable, Any] = {}

    def data(self, path: str) -> bytes:
        """The first 64 KiB of the regular file `path`.  Raises Absent."""
        if path not in self._files:
            try:
                self._files[path] = self._read(path)
            except OSError as exc:
                self._files[path] = _REASONS.get(type(exc), (exc.strerror or str(exc)).lower())
            except Absent as exc:
                self._files[path] = str(exc)
        found = self._files[path]
        if isinstance(found, str):
            raise Absent(found)
        return found

    def text(self, path: str) -> str:
        """The same as text; bytes that are not UTF-8 become U+FFFD.  Raises Absent."""
        return self.data(path).decode("utf-8-sig", "replace")

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes of this root, kept under `name`: made once, however often it is asked for."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def variable(self, name: str) -> str:
        """The daemon's environment variable `name`.  Raises Absent.

        systemd hands its services the locale files as they were when the box started: under
        systemd those files themselves, which may have changed since, know better.
        """
        if name != "TZ" and "INVOCATION_ID" in self._environ:
            raise Absent("systemd set it when the box started, and the files may be newer")
        if name not in self._environ:
            raise Absent("not set")
        return self._environ[name]

    def exists(self, path: str) -> bool:
        """Whether there is anything called `path`, be it a dangling link."""
        place = PurePosixPath(path)
        try:
            os.lstat(self.below(str(place.parent)) / place.name)
        except OSError:
            return False
        return True

    def real_path(self, path: str) -> str:
        """Where `path` of the box leads when its links are followed as the box itself would follow them.

        An absolute link inside a root file system must not lead out of it.  Raises OSError on a loop.
        """
        todo, done, n_links = _steps(path)[::-1], PurePosixPath("/"), 0
        while todo:
            step = todo.pop()
            if step == "..":
                done = done.parent
                continue
            place = self.directory / (done / step).relative_to("/")
            if not place.is_symlink():
                done = done / step
                continue
            n_links += 1
            if n_links > MAX_LINKS:
                raise OSError(f"{path}: too many symbolic links")
            link = os.readlink(place)
            done = PurePosixPath("/") if link.startswith("/") else done
            todo += _steps(link)[::-1]
        return str(done)

    def below(self, path: str) -> Path:
        """The place on this machine of the box's `path`.  Raises OSError on a loop of links."""
        if self._is_this_box:
            return Path(path)
        return self.directory / self.real_path(path).lstrip("/")

    def _read(self, path: str) -> bytes:
        # Not blocking, because whoever can write there could have put a pipe in a file's place.
        descriptor = (
            self._open_in_tmp(path) if path.startswith("/tmp/") else os.open(self.below(path), _FLAGS)
        )
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Absent("not a file")
            return file.read(MAX_BYTES)

    def _open_in_tmp(self, path: str) -> int:
        """A file that anybody on the box could have put there: no links, and on this box root's alone.

        In another box's root nobody is at work, and unpacking has changed the owners: any will do.
        """
        place = self.below("/tmp")
        for step in _steps(path)[1:]:
            place = place / step
            status = os.lstat(place)
            if stat.S_ISLNK(status.st_mode):
                raise Absent("a link, and anybody may write there")
            if self._is_this_box and status.st_uid != 0:
                raise Absent("not root's, and anybody may write there")
        return os.open(place, _FLAGS | os.O_NOFOLLOW)


def _steps(path: str) -> list[str]:
    return [step for step in path.split("/") if step not in ("", ".")]
