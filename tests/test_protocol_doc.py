"""Every example of the protocol's page is what the daemon takes and says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jwpingd import errors
from jwpingd.wire import Received, ack, error_reply
from tests.socket_lines import read

PAGE = (Path(__file__).parent.parent / "docs/protocol.md").read_text()


def examples(kind: str) -> list[str]:
    blocks = re.findall(rf"```json {kind}\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("line", examples("lines"))
def test_an_example_of_the_page_is_taken(line: str) -> None:
    """What the page says a player may write is an event."""
    (result,) = read(line.encode() + b"\n")
    assert isinstance(result, Received), str(result.error)


def test_replies_look_as_the_page_says() -> None:
    """Replies have the keys that the page shows, in that order."""
    refused = read(b"nonsense\n", b'{"event":"time","id":7}\n', b'{"event":"fly"}\n')
    replies = [json.loads(error_reply(result)) for result in refused if not isinstance(result, Received)]
    shown = [json.loads(line) for line in examples("replies")]
    assert shown[0] == json.loads(ack("last"))
    for reply, example in zip(replies, shown[1:], strict=True):
        assert list(reply) == list(example)
        assert (reply["error"], reply["line"], reply.get("id")) == (
            example["error"],
            example["line"],
            example.get("id"),
        )


def test_every_error_is_explained() -> None:
    """The table of errors has each code that a player can get, and no other."""
    codes = {kind.code for kind in errors.PlayerError.__subclasses__()}
    section = PAGE[PAGE.index("| error |") :]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == codes
