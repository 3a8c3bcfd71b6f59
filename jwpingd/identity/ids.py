"""Random ids of this installation, each in a small file: `<id> <fingerprint of the machine-id>`.

An id that was stored on another machine is not taken: images that were copied after a first start
must not share one.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jwpingd.identity.files import read_words, remove_durably, replace_durably


class StoredId(NamedTuple):
    """One kind of id: the name of its file, its form (a regular expression), and how a new one is drawn."""

    file_name: str
    form: str
    draw: Callable[[], str]

    def read(self, state_dir: Path, machine_id: str | None) -> str | None:
        """The id of this machine; None if there is none.  Never raises OSError."""
        try:
            words = read_words(state_dir / self.file_name)
        except (OSError, ValueError):
            return None
        is_of_this_box = len(words) == 2 and words[1] == self._fingerprint(machine_id)
        return words[0] if is_of_this_box and re.fullmatch(self.form, words[0]) else None

    def read_or_make(self, state_dir: Path, machine_id: str | None) -> str | None:
        """The id of this machine, made and stored if there is none; None if it cannot be kept."""
        stored = self.read(state_dir, machine_id)
        if stored is not None:
            return stored
        made = self.draw()
        try:
            replace_durably(state_dir / self.file_name, f"{made} {self._fingerprint(machine_id)}\n")
        except OSError:
            # An id that is another after every start would be worse than none.
            return None
        return made

    def discard(self, state_dir: Path) -> None:
        """Forget the id.  Raises OSError."""
        remove_durably(state_dir / self.file_name)

    def _fingerprint(self, machine_id: str | None) -> str:
        """A hash of the machine-id, which is confidential itself (machine-id(5)); "-" if there is none."""
        if machine_id is None:
            return "-"
        text = f"jwpingd {self.file_name} {machine_id}"
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _new_uuid() -> str:
    # Imported here, because few boxes make one, and each only once.
    import uuid

    return str(uuid.uuid4())


_ALPHABET = string.digits + string.ascii_lowercase

INSTALL_ID = StoredId(
    "install-id",
    "[0-9a-z]{8}",
    lambda: "".join(secrets.choice(_ALPHABET) for _ in range(8)),
)
"""`oiid`: which installation, as long as its state directory lives."""

ADVERTISING_ID = StoredId("advertising-id", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", _new_uuid)
"""`ifa` where the configuration says "generate": random, so that it tells nothing of the box."""
