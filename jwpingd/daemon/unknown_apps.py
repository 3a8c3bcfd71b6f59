"""Items whose app nobody named: counted, and the first of each user told in the log."""

from __future__ import annotations

import logging

_log = logging.getLogger("jwpingd.box")


class UnknownApps:
    """`n_items` counts those since the start; `again` goes on counting under a new configuration."""

    def __init__(self, n_items: int = 0) -> None:
        self.n_items = n_items
        self._told_uids = set[int]()

    def note(self, uid: int, app_id: str) -> None:
        """An item of this user goes out under `app_id`, which stands for no app."""
        self.n_items += 1
        if uid not in self._told_uids:
            self._told_uids.add(uid)
            _log.warning("no app id for uid %d, sending %r; name it in hello or [[apps]]", uid, app_id)

    def again(self) -> UnknownApps:
        """The same count; users are told of anew, for the configuration may have meant to name their apps."""
        return UnknownApps(self.n_items)
