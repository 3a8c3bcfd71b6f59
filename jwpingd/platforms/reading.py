"""How every metadata file of a box is read: bounded, below a root, never raising, never a placeholder.

Source of the rules: the project's page on platform sources, §3.  A file may be absent, empty or
half-written at boot; all of that is None.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

MAX_BYTES = 64 * 1024
"""Far above any metadata file; what lies beyond is not read."""

MAX_LINKS = 40
"""As many symbolic links as the kernel follows (path_resolution(7))."""

_PLACEHOLDERS = frozenset(
    (
        *("unknown", "linux", "generic", "tbd", "none", "(none)", "null", "n/a", "undefined", "invalid"),
        *("uninitialized", "99.99.0.0"),
    )
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = {'"': re.compile(r'"((?:[^"\\]|\\.)*)'), "'": re.compile(r"'([^']*)")}
_ESCAPE = re.compile(r"""\\([\\$"'`])""")
_COMMENT = re.compile(r"\s#.*")


def read_text(root: Path, path: str) -> str | None:
    """The text of the file `path` of the box whose file system is at `root`; None if there is none.

    Bytes that are not UTF-8 become U+FFFD.  Only regular files are read: a pipe would block us.
    """
    try:
        descriptor = os.open(below(root, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            raw = file.read(MAX_BYTES)
    except (OSError, ValueError):
        return None
    return raw.decode("utf-8-sig", "replace")


def read_value(root: Path, path: str) -> str | None:
    """The one value that the file holds, up to its first NUL; None as `clean` says."""
    text = read_text(root, path)
    return None if text is None else clean(text.partition("\0")[0])


def read_assignments(root: Path, path: str) -> dict[str, str]:
    """The `KEY=value` lines of the file; empty if there is none.  Values may be empty: `clean` them."""
    return assignments(read_text(root, path) or "")


def assignments(text: str) -> dict[str, str]:
    """KEY → value of the lines of `text` that assign, the last one of a key, as os-release(5) is read.

    Blanks around "=" are taken, as are values with bare blanks: both are found on boxes.
    """
    matches = (_ASSIGNMENT.fullmatch(line) for line in text.replace("\0", "\n").splitlines())
    return {match[1]: _unquoted(match[2].strip()) for match in matches if match}


def clean(text: str | None) -> str | None:
    """`text` without control characters and outer blanks; None if nothing, or a placeholder, is left."""
    if text is None:
        return None
    value = _CONTROL.sub(" ", text).strip()
    if value.casefold() in _PLACEHOLDERS or not any(character.isalnum() for character in value):
        return None
    return value


def first(values: Iterable[str | None]) -> str | None:
    """The first of `values` that says something."""
    return next((value for value in map(clean, values) if value is not None), None)


def below(root: Path, path: str) -> Path:
    """Where `path` of the box lies on this machine, its links followed as the box itself would.

    An absolute link inside a root file system must not lead out of it.  Raises OSError on a loop.
    """
    if root == Path("/"):
        return Path(path)
    todo, done, n_links = list(reversed(_steps(path))), PurePosixPath("/"), 0
    while todo:
        step = todo.pop()
        if step == "..":
            done = done.parent
            continue
        place = root / (done / step).relative_to("/")
        if not place.is_symlink():
            done = done / step
            continue
        n_links += 1
        if n_links > MAX_LINKS:
            raise OSError(f"{path}: too many symbolic links")
        link = os.readlink(place)
        done = PurePosixPath("/") if link.startswith("/") else done
        todo += reversed(_steps(link))
    return root / done.relative_to("/")


def _steps(path: str) -> list[str]:
    return [step for step in path.split("/") if step not in ("", ".")]


def _unquoted(value: str) -> str:
    """The value as a shell would have it, but for bare blanks, which are kept, and no expansion."""
    quote = value[:1]
    if quote in _QUOTED:
        inner = _QUOTED[quote].match(value)
        value = inner[1] if inner else value[1:]
        return value if quote == "'" else _ESCAPE.sub(r"\1", value)
    return _ESCAPE.sub(r"\1", _COMMENT.sub("", value))
