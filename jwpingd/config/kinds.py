"""Kinds of values a setting can have.  A kind reads what TOML gave, and says in words what it allows.

`read` takes any value TOML can hold and returns the setting's own type.  It raises ValueError for
everything else; the message is made by the caller from `words`, so all refusals sound alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

MAX_SOCKET_PATH_BYTES = 107
"""sun_path of unix(7) holds 108 bytes, one of which is the final zero."""


class Kind(NamedTuple):
    """What a value must be: `words` completes the sentence "must be …".

    `choices` are the texts allowed where there are few; the nearest is named when one is misspelt.
    `source` is text that a number must show as it is written in the file, for the case where the
    parsed number does not tell (440 and 0o670 are the same to TOML).
    """

    words: str
    read: Callable[[object], Any]
    choices: tuple[str, ...] = ()
    source: str = ""

    def take(self, raw: object, source: str) -> Any:
        """`raw` as the setting's own type; `source` is the text it was parsed from.  Raises ValueError."""
        if isinstance(raw, int) and self.source not in source:
            raise ValueError
        return self.read(raw)

    def accepts(self, raw: object) -> bool:
        """Whether `raw` is allowed."""
        try:
            self.read(raw)
        except ValueError:
            return False
        return True


def whole(least: int, most: int) -> Kind:
    """A whole number in [least, most].  A boolean is not a number."""

    def read(raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= most:
            raise ValueError
        return raw

    return Kind(f"a whole number from {least} to {most}", read)


def number(least: float, most: float) -> Kind:
    """A number in [least, most], as a float; whole numbers are taken too, NaN is not."""

    def read(raw: object) -> float:
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not least <= raw <= most:
            raise ValueError
        return float(raw)

    return Kind(f"a number from {least:g} to {most:g}", read)


def switch() -> Kind:
    """true or false, and no other spelling."""

    def read(raw: object) -> bool:
        if not isinstance(raw, bool):
            raise ValueError
        return raw

    return Kind("true or false", read)


def pattern(words: str, regex: str, *, choices: tuple[str, ...] = ()) -> Kind:
    """A text that matches `regex` from end to end."""

    def read(raw: object) -> str:
        # Compiled at first use: most patterns are never needed, and the daemon starts on slow boxes.
        if not isinstance(raw, str) or not re.fullmatch(regex, raw):
            raise ValueError
        return raw

    return Kind(words, read, choices)


def text(max_characters: int) -> Kind:
    """A text that is not empty and has no control characters."""
    return pattern(f"a text of 1 to {max_characters} characters", rf"[^\x00-\x1f\x7f]{{1,{max_characters}}}")


def texts(each: Kind) -> Kind:
    """A list of texts, each of the given kind, as a tuple."""

    def read(raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise ValueError
        return tuple(each.read(entry) for entry in raw)

    return Kind(f"a list, each entry {each.words}", read)


def choice(values: Mapping[str, object]) -> Kind:
    """One of a few texts; the value is what the text stands for."""

    def read(raw: object) -> object:
        if not isinstance(raw, str) or raw not in values:
            raise ValueError
        return values[raw]

    return Kind(" or ".join(f'"{name}"' for name in values), read, tuple(values))


def one_of(*names: str) -> Kind:
    """One of a few texts, which stands for itself."""
    return choice({name: name for name in names})


def absolute_path(max_bytes: int) -> Kind:
    """The absolute path of a file: a relative one would name another file under systemd."""

    def read(raw: object) -> Path:
        if not isinstance(raw, str) or "\0" in raw or not raw.startswith("/"):
            raise ValueError
        if len(raw.encode()) > max_bytes:
            raise ValueError
        return Path(raw)

    return Kind(f"an absolute path of at most {max_bytes} bytes", read)


def file_mode() -> Kind:
    """Permission bits, as octal text or as TOML's octal number."""

    def read(raw: object) -> int:
        if isinstance(raw, str) and re.fullmatch("0?[0-7]{3}", raw):
            return int(raw, 8)
        if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw <= 0o777:
            raise ValueError
        return raw

    return Kind('octal permission bits, as "0660" or 0o660', read, source="0o")


def collector_url() -> Kind:
    """https anywhere, http on this box only; nothing after the port, because the interface fixes the path."""

    def read(raw: object) -> str:
        scheme, host, port = _url_parts(raw)
        if scheme != "https" and not (scheme == "http" and _is_loopback(host)):
            raise ValueError
        return f"{scheme}://{host}{port}"

    return Kind("https://HOST[:PORT] without user, path or query; http:// only for this box itself", read)


def proxy_url() -> Kind:
    """An HTTP proxy, with user and password if it wants them."""

    def read(raw: object) -> str:
        if not isinstance(raw, str):
            raise ValueError
        scheme, separator, rest = raw.partition("://")
        user, at_sign, place = rest.rpartition("@")
        if not re.fullmatch(r"[!-~]*", user) or set(user) & set("/?#@"):
            raise ValueError
        _, host, port = _url_parts(scheme + separator + place)
        return f"{scheme.lower()}://{user}{at_sign}{host}{port}"

    return Kind("http://[USER:PASSWORD@]HOST[:PORT] or the same with https://", read)


_URL = (
    r"(?P<scheme>https?)://"
    r"(?P<host>[0-9A-Za-z]([0-9A-Za-z._-]{0,251}[0-9A-Za-z.])?|\[[0-9A-Fa-f:.]+\])"
    r"(:(?P<port>[0-9]{1,5}))?/?"
)


def _url_parts(raw: object) -> tuple[str, str, str]:
    """(scheme, host, port with its colon or "") of a URL that has nothing else; else ValueError.

    A dot at the end of the host is left out: TLS names it without one (RFC 6066 §3).
    """
    match = re.fullmatch(_URL, raw, re.IGNORECASE | re.ASCII) if isinstance(raw, str) else None
    if match is None:
        raise ValueError
    host, port = match["host"].lower().removesuffix("."), match["port"]
    if host.startswith("["):
        _ip_address(host[1:-1])
    if port is not None and not 1 <= int(port) <= 65535:
        raise ValueError
    return match["scheme"].lower(), host, "" if port is None else f":{int(port)}"


def _is_loopback(host: str) -> bool:
    """Whether `host` can only be this box: 127.0.0.0/8, ::1 or localhost."""
    if host == "localhost":
        return True
    try:
        return bool(_ip_address(host.strip("[]")).is_loopback)
    except ValueError:
        return False


def _ip_address(host: str) -> Any:
    # Imported here because few configurations name an address and the daemon starts on slow flash.
    import ipaddress

    return ipaddress.ip_address(host)
