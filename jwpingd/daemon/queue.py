"""What an operator may ask of the queue: to see it, hurry it, thin it out, and send dead letters again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jwpingd.control.serving import Answer, Request
from jwpingd.errors import OperatorError
from jwpingd.spool import Entry, SetAside
from jwpingd.writer import Writer

_ALL = 1 << 40  # more than any store holds
MAX_ROWS = 500  # of one answer; at 6 KiB a target they stay below what an answer may have


class Queue:
    """The handlers, by the names that the command line uses.

    `hurry` tries at once what waits for its next try.
    """

    def __init__(self, writer: Writer, hurry: Callable[[], None]) -> None:
        self._writer = writer
        self._hurry = hurry

    def answers(self) -> Mapping[str, Callable[[Request], Any]]:
        """Command → handler."""
        return {
            "queue-list": self.show,
            "queue-flush": self.flush,
            "queue-drop": self.drop,
            "queue-retry": self.retry,
        }

    async def show(self, request: Request) -> Answer:
        """The waiting pings with an id above `after_id`, oldest first, or all that is set aside."""
        if request.get("set_aside"):
            letters = await self._writer.dead_letters()
            return {"pings": [_letter(letter) for letter in letters]}
        after_id, limit = _whole(request, "after_id", 0), min(_whole(request, "limit", MAX_ROWS), MAX_ROWS)
        entries = await self._writer.waiting(limit, after_id=after_id)
        return {"pings": [_row(entry) for entry in entries]}

    async def flush(self, _request: Request) -> Answer:
        """Try now, whatever our own backoff says; a Retry-After of the collector still holds."""
        self._hurry()
        return {"waiting": self._writer.account().waiting}

    async def drop(self, request: Request) -> Answer:
        """Take pings out for good: those named in `ids`, or all that wait, or all that were set aside."""
        ids = _ids(request)
        if ids is None and request.get("set_aside"):
            ids = frozenset(letter.entry.id for letter in await self._writer.dead_letters())
        elif ids is None:
            ids = frozenset(entry.id for entry in await self._writer.waiting(_ALL))
        return {"dropped": await self._writer.drop(ids, "operator")}

    async def retry(self, request: Request) -> Answer:
        """Let set-aside pings wait again: those named in `ids`, or all."""
        letters = await self._writer.dead_letters()
        wanted = _ids(request)
        ids = [
            letter.entry.id
            for letter in letters
            if letter.can_requeue and (wanted is None or letter.entry.id in wanted)
        ]
        return {"retried": await self._writer.requeue(ids)}


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "play": entry.play,
        "watched_s": entry.watched_s,
        "boot_id": entry.boot_id,
        "boot_ms": entry.boot_ms,
        "sa_ms": entry.sa_ms,
        "is_guessed": entry.is_guessed,
        "target": entry.target,
    }


def _letter(letter: SetAside) -> dict[str, Any]:
    return {
        **_row(letter.entry),
        "reason": letter.reason,
        "since_ms": letter.wall_ms,
        "can_retry": letter.can_requeue,
    }


def _whole(request: Request, key: str, default: int) -> int:
    value = request.get(key, default)
    if type(value) is not int or value < 0:
        raise OperatorError(f"{key} must be a whole number, not {value!r}")
    return value


def _ids(request: Request) -> frozenset[int] | None:
    ids = request.get("ids")
    if ids is None:
        return None
    if not isinstance(ids, list) or not all(type(each) is int for each in ids):
        raise OperatorError("ids must be a list of whole numbers")
    return frozenset(ids)
