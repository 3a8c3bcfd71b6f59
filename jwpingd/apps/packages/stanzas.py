"""Control files of packages: stanzas of `Key: value` lines, a blank line between two (deb822(5))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def stanzas(lines: Iterable[bytes], keys: frozenset[str]) -> Iterator[dict[str, str]]:
    """Of each stanza the keys asked for.  A line that continues a value begins with a blank: no key does."""
    stanza: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            if stanza:
                yield stanza
            stanza = {}
            continue
        key, _, value = line.partition(b":")
        name = key.decode("utf-8", "replace")
        if name in keys:
            stanza[name] = value.decode("utf-8", "replace").strip()
    if stanza:
        yield stanza
