"""A search for raw user ids and tokens in everything that a daemon with a bad day leaves or says."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from jwpingd import control
from tests.processes import BoxUnderTest, CollectorProcess, PlayerConnection, free_port, wait_until

pytestmark = pytest.mark.slow

MEDIA_ID = "9u6OHIO4"
ITEM = {"event": "playlistItem", "mediaid": MEDIA_ID, "title": "Elephants Dream"}
TICK = {"event": "time", "position": 0, "duration": 300}


def base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def token(payload: object, signature: str = "signature") -> str:
    return ".".join(map(base64url, ('{"alg":"none"}', json.dumps(payload), signature)))


NAMES = ["viewer-4711@example.com", "Zoë Überall 東京", "8589934592001"]
"""Login ids as services have them; the last is an integer."""

TOKENS = [
    token({"sub": NAMES[0], "scope": "play"}),
    token({"sub": 8589934592001}),
    token({"uid": "nobody-named-sub"}),  # No `sub`.
    token(["an-array-payload"]),
    token({"sub": ""}, "of-an-empty-id"),
    token({"sub": {"nested": "id-in-a-nested-claim"}}),
    "only-one-part-of-a-token",
    f"{base64url('two-parts')}.{base64url('of-a-token')}",
    "not!base64.at!all-in-it.token",
    token({"sub": "too-long-a-token", "pad": "x" * 9000}),
]

GOOD = [
    {"id": NAMES[0]},
    {"id": NAMES[1]},
    {"id": 8589934592001},
    {"token": TOKENS[0]},
    {"token": TOKENS[1]},
    {"id": "a-very-long-login-id" * 500},
]

BAD: list[dict[str, Any] | bytes] = [
    *({"event": "hello", "user": {"token": bad}} for bad in TOKENS[2:]),
    {"event": "hello", "user": {"hash": "no-hash-but-an-id"}},
    {"event": "hello", "user": {"id": NAMES[0], "token": TOKENS[0]}},
    {"event": "hello", "user": "id-in-place-of-an-object"},
    {"event": "hello", "user": {"id": {"deep": ["id-in-depths"]}}},
    {"event": "hello", "user": {"name": "id-under-another-key"}},
    {"event": "hello", "user": {"id": "id-beside-a-mistake"}, "consent": TOKENS[0]},
    {"event": "hello", "app": {"id": [TOKENS[0]]}},
    {"event": "hello", "player": 5, "user": {"id": "id-beside-a-mistake"}},
    {"event": "hello", "protocol": TOKENS[1]},
    {"event": "hello", "advertising": TOKENS[0]},
    {"event": "hello", "advertising": {"id": ["advertising-id-in-an-array"]}},
    b'{"event":"hello","user":{"id":"id-before-the-line-breaks',
    b'{"event":"hello","user":{"token":"' + b"a-token-as-long-as-the-sky" * 1000 + b'"}}',
    b'{"event":"hello","user":{"id":"id-with-a-bad-escape\\q"}}',
    b'{"event":"hello","user":{"id":"id-with-bad-utf8\xff"}}',
    b'{"event":"time","position":"' + TOKENS[0].encode() + b'"',
]

SECRETS = [
    *NAMES,
    *TOKENS,
    *(part for whole in TOKENS for part in whole.split(".") if len(part) > 12 and "alg" not in part),
    "nobody-named-sub",
    "an-array-payload",
    "id-in-a-nested-claim",
    "too-long-a-token",
    "a-very-long-login-id",
    "no-hash-but-an-id",
    "id-in-place-of-an-object",
    "id-in-depths",
    "id-under-another-key",
    "id-beside-a-mistake",
    "advertising-id-in-an-array",
    "id-before-the-line-breaks",
    "a-token-as-long-as-the-sky",
    "id-with-a-bad-escape",
    "id-with-bad-utf8",
]


def forms(text: str) -> set[bytes]:
    """The ways in which a text may stand in a file: raw, escaped, percent-encoded, in hex, in base64."""
    raw = text.encode()
    found = {raw, json.dumps(text)[1:-1].encode(), quote(text, safe="").encode(), raw.hex().encode()}
    for n_before in range(3):  # Where a group of three bytes begins nobody can know.
        encoded = base64.b64encode(bytes(n_before) + raw)
        whole = encoded[(8 * n_before + 5) // 6 : (n_before + len(raw)) * 8 // 6]
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def found_in(haystack: bytes, texts: Iterable[str]) -> list[str]:
    return [text for text in texts if any(form in haystack for form in forms(text))]


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_the_search_finds_what_is_there(before: str) -> None:
    """Each form of a text is found, wherever in an encoding it begins."""
    for text in NAMES:
        whole = f"{before}{text}!"
        for encoded in (
            whole.encode(),
            json.dumps(whole).encode(),
            quote(whole, safe="").encode(),
            whole.encode().hex().encode(),
            base64.b64encode(whole.encode()),
            base64.urlsafe_b64encode(whole.encode()),
        ):
            assert found_in(b"\0" + encoded + b"\0", [text]) == [text]
        assert found_in(whole[:-2].encode(), [text]) == []


class Eavesdropper:
    """`jwpingd tap`, whose output and recording are files below the box's directory."""

    def __init__(self, box: BoxUnderTest) -> None:
        self.path = box.directory / "tap"
        command = [
            sys.executable, "-m", "jwpingd", "tap", "--json", "--record", str(box.directory / "recording")
        ]  # fmt: skip
        with self.path.open("wb") as out:
            self.process = subprocess.Popen(command, env=box.environment, stdout=out, stderr=out)
        with closing(box.connect()) as player:
            wait_until(lambda: self._hears(player), "the tap hears what players say")

    def _hears(self, player: PlayerConnection) -> bool:
        player.send_and_wait({"event": "hello"})
        return b'"hello"' in self.path.read_bytes()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[BoxUnderTest]:
    under_test = BoxUnderTest(
        tmp_path, free_port(), "log.level=debug", "uplink.retry_first_s=0.05", "uplink.retry_max_s=0.1"
    )
    yield under_test
    if under_test.process is not None and under_test.process.poll() is None:
        under_test.kill()


def be_bad(player: PlayerConnection) -> bytes:
    """Say everything that is wrong; the replies.  Each mistake gets one, and costs nothing else."""
    replies = []
    for line in BAD:
        player.sock.sendall((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        replies.append(player.reply())
        assert "error" in replies[-1]
    return json.dumps(replies).encode()


def be_good(player: PlayerConnection, n_of: str) -> None:
    """A play of each user, the last of them with a key, and still running."""
    for idx, user in enumerate(GOOD):
        item = ITEM | {"play": f"{n_of}-{idx}"} if idx % 2 else ITEM
        player.send_and_wait({"event": "hello", "user": user}, item, TICK)


def everything_said(box: BoxUnderTest) -> bytes:
    """The answers to all that an operator may ask."""
    socket = box.directory / "run/control.sock"
    answers = [
        control.ask(socket, "status"),
        control.ask(socket, "identity", action="show"),
        control.ask(socket, "queue-list"),
        control.ask(socket, "queue-list", set_aside=True),
    ]
    return json.dumps(answers).encode()


def everything_left(box: BoxUnderTest) -> bytes:
    """The bytes of all files: store, log of the store, ids, the daemon's log, tap and recording."""
    return b"\n".join(path.read_bytes() for path in box.directory.rglob("*") if path.is_file())


def test_no_secret_is_left_or_said(box: BoxUnderTest) -> None:
    """Valid, malformed, huge and nested ids and tokens, errors, kill -9, opt-outs, delivery: not a trace."""
    box.start()
    tap = Eavesdropper(box)
    player = box.connect()
    said = be_bad(player)
    be_good(player, "a")
    said += everything_said(box)
    n_pings = box.status()["accepted"]
    assert n_pings == 2 * len(GOOD) + len(GOOD) - 1, "no mistake cost a ping"
    box.kill()  # The write-ahead log is as it was.
    tap.stop()
    player.close()
    left = everything_left(box)
    assert found_in(left, [MEDIA_ID]) and found_in(said, [MEDIA_ID])
    assert MEDIA_ID in tap.path.read_text() and (box.directory / "state/spool.db-wal").stat().st_size
    hashes = [hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest() for name in NAMES]
    assert found_in(left, hashes) == hashes
    assert found_in(left, SECRETS) == [] and found_in(said, SECRETS) == []
    collector = CollectorProcess(box.port)
    box.start()
    player = box.connect()
    said = be_bad(player)
    player.send_and_wait({"event": "hello", "user": GOOD[0], "consent": "anonymous"}, ITEM, TICK)
    be_good(player, "b")
    said += json.dumps(control.ask(box.directory / "run/control.sock", "identity", action="reset")).encode()
    answer = control.ask(box.directory / "run/control.sock", "identity", 20.0, action="choose", level="none")
    said += json.dumps(answer).encode() + everything_said(box)
    player.close()
    box.stop()
    collector.stop()
    left = everything_left(box)
    assert found_in(left, SECRETS) == [] and found_in(said, SECRETS) == []
    state = b"".join(path.read_bytes() for path in (box.directory / "state").iterdir())
    assert found_in(state, [MEDIA_ID, *hashes]) == [], "the opt-out left something"
