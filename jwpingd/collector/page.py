"""The page for a browser: page.html, filled in with what the program knows, under a strict policy."""

from __future__ import annotations

import base64
import hashlib
import json
import pkgutil
import re
from functools import cache

from jwpingd.ping.table import EVENTS, KEYS


@cache
def page() -> bytes:
    """The page, which needs nothing from elsewhere: the report and every play, live.

    Its policy lets the browser take the page's own style and script, by their hashes, and ask this
    collector; nothing else, whatever a ping brings with it.
    """
    found = pkgutil.get_data("jwpingd.collector", "page.html")
    assert found is not None, "the page is part of the package"
    text = found.decode().replace("WORDS", _words(), 1)
    return text.replace("POLICY", _policy(text), 1).encode()


def _words() -> str:
    """Kinds and keys of pings in words, for the page's script."""
    kinds = {kind: event.name for kind, event in EVENTS.items()}
    return json.dumps({"kinds": kinds, "keys": {key.key: key.meaning for key in KEYS}})


def _policy(text: str) -> str:
    style, script = (_hash(text, tag) for tag in ("style", "script"))
    own = f"style-src '{style}'; script-src '{script}'; connect-src 'self'"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _hash(text: str, tag: str) -> str:
    """The source expression of the one element of that tag (Content Security Policy Level 3, §2.3.1)."""
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
