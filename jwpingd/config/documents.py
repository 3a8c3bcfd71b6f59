"""One configuration file, or one `--set`, as a document: its values and where each of them stands."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jwpingd.config.places import Path as KeyPath
from jwpingd.config.places import Places, Statement
from jwpingd.config.table import SETTINGS
from jwpingd.config.writing import written
from jwpingd.errors import ConfigError, Problem

OVERRIDE = "--set"
"""What stands for a file's name where a value came from the command line."""

MAX_FILE_BYTES = 1 << 20
"""Of a configuration file; the shipped one, with all its comments, has a hundredth of it."""

WHOLE_FILE = "file"
"""What stands for the key where a problem is the file's, not a setting's."""


class Origin(NamedTuple):
    """Where a value comes from.  `file` is a path, "--set" or "default"; `line` is 0 where there is none."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Document(NamedTuple):
    """`name` is the file's path or "--set".  `text` is the override's value as it was given."""

    name: str
    values: Mapping[str, object]
    places: Places | None = None
    text: str = ""

    def statement(self, path: KeyPath) -> Statement:
        """Where `path` is set, and the text that sets it; line 0 on the command line."""
        return self.places.find(path) if self.places else Statement(0, self.text)

    def origin(self, path: KeyPath) -> Origin:
        """Where `path` is set."""
        return Origin(self.name, self.statement(path).line)


def read_file(path: Path) -> Document:
    """The file as a document.  Raises ConfigError when it cannot be read or is not TOML."""
    name = str(path)
    try:
        text = _content(path).decode().removeprefix("\ufeff")  # Some editors begin every file with it.
    except OSError as exc:
        raise _refusal(name, 0, WHOLE_FILE, f"cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        raise _refusal(name, line, WHOLE_FILE, "is not UTF-8") from exc
    try:
        return Document(name, tomllib.loads(text), Places(text))
    except RecursionError as exc:
        raise _refusal(name, 0, WHOLE_FILE, "is nested too deeply") from exc
    except ValueError as exc:
        raise _not_toml(name, text, str(exc)) from exc


def _content(path: Path) -> bytes:
    """What is in the file.  Raises OSError, and ConfigError for what a daemon must not read."""
    with open(path, "rb", opener=_open_at_once) as file:
        if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            message = "is a pipe, which a reload could not read again; use a file"
            raise _refusal(str(path), 0, WHOLE_FILE, message)
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _refusal(str(path), 0, WHOLE_FILE, f"is longer than {MAX_FILE_BYTES >> 20} MiB")
    return content


def _open_at_once(path: str, flags: int) -> int:
    """Without waiting for a writer, where it is a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_override(override: str) -> Document:
    """`KEY=VALUE`, the key dotted, as a document.  Raises ConfigError when it has no such form.

    The value is taken as TOML; as it stands where it is not TOML, or where only that fits the key
    (so a version 1.10 is a text without quotes around quotes).
    """
    key, separator, text = override.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not separator or not all(path):
        raise _refusal(
            OVERRIDE, 0, written(override), "must have the form KEY=VALUE, such as log.level=debug"
        )
    value = _override_value(".".join(path), text.strip())
    for part in reversed(path):
        value = {part: value}
    assert isinstance(value, dict), "the path has at least one part"
    return Document(OVERRIDE, value, text=text)


def _override_value(dotted: str, text: str) -> object:
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    if list(document) != ["value"]:
        return text
    setting = SETTINGS.get(dotted)
    if setting is None:
        return document["value"]
    try:
        setting.kind.take(document["value"], text)
    except ValueError:
        return text if setting.kind.accepts(text) else document["value"]
    return document["value"]


def _not_toml(name: str, text: str, message: str) -> ConfigError:
    """The parser's message with the line taken out of it and put where all lines stand."""
    match = re.search(r" \(at (?:line (?P<line>[0-9]+), column [0-9]+|end of document)\)", message)
    if match is None:
        return _refusal(name, 0, WHOLE_FILE, f"is not TOML: {message}")
    lines = text.split("\n")
    line = int(match["line"] or text.rstrip("\n").count("\n") + 1)
    message = message.replace(match[0], "")
    return ConfigError(
        [Problem(name, line, WHOLE_FILE, written(lines[line - 1].strip()), f"is not TOML: {message}")]
    )


def _refusal(name: str, line: int, key: str, message: str) -> ConfigError:
    return ConfigError([Problem(name, line, key, "", message)])
