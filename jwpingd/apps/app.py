"""An app: what it is called, its version, and who says so."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_LENGTH = 255
"""As long as a file name; no id or version of a real app comes near it."""

_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"


class App(NamedTuple):
    """`source` names the evidence for the id.  A version that nobody knows is None, never empty."""

    id: str
    version: str | None
    source: str


def clean(text: str | None) -> str | None:
    """`text` without outer blanks; None if it is empty, too long or has control characters."""
    value = (text or "").strip()
    return value if value and len(value) <= MAX_LENGTH and not re.search(_CONTROL, value) else None
