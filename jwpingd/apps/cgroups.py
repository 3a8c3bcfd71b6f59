"""A process's place in the trees of cgroups, from /proc/PID/cgroup (cgroups(7)).

On a box with both versions at once, version 2 may say nothing but "/"; then systemd's own tree of
version 1 speaks, then the others, where some container runtimes leave their name.
"""

from __future__ import annotations

MAX_PATHS = 32
"""There is one tree for each controller: about a dozen."""

_DELETED = " (deleted)"


def parse(text: str) -> tuple[str, ...]:
    """The paths that say something, each once, the most telling tree first."""
    ranked: list[tuple[int, str]] = []
    for line in text.split("\n"):
        hierarchy, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        path = path.removesuffix(_DELETED)
        if colon and path.strip("/"):
            ranked.append((_rank(hierarchy, controllers), path))
    ranked.sort(key=lambda pair: pair[0])
    return tuple(dict.fromkeys(path for _, path in ranked))[:MAX_PATHS]


def innermost_first(path: str) -> list[str]:
    """The elements of a path, the process's own cgroup first."""
    return [element for element in reversed(path.split("/")) if element not in ("", "..")]


def _rank(hierarchy: str, controllers: str) -> int:
    if hierarchy == "0" and not controllers:
        return 0
    return 1 if controllers == "name=systemd" else 2
