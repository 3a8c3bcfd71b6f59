"""The hello: who speaks, who is logged in, and what must never come back in a reply."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd import wire
from jwpingd.errors import BadEvent
from jwpingd.events import AdvertisingClaim, Consent, Hello, UserClaim
from jwpingd.server import Claims
from jwpingd.wire import LineReader, Received, Rejected
from tests.socket_lines import event_of, refusal_of

SHA1 = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Hello()),
        ({"protocol": 1}, Hello()),
        ({"protocol": 2, "future": {"x": 1}}, Hello()),
        ({"protocol": None, "app": None, "player": None, "consent": None}, Hello()),
        ({"app": {"id": "com.example.tv", "version": "2.4.1"}}, Hello("com.example.tv", "2.4.1")),
        ({"app": {"id": "", "version": None}}, Hello()),
        ({"app": {}}, Hello()),
        ({"app": {"configid": "9iG2vRc1"}}, Hello(config_id="9iG2vRc1")),
        ({"app": {"id": "a.b", "configid": "9iG2vRc1 "}}, Hello("a.b")),
        ({"app": {"id": "a.b", "configid": ""}}, Hello("a.b")),
        ({"player": {"version": "1.22"}}, Hello(player_version="1.22")),
        ({"player": {"version": ""}}, Hello()),
        ({"player": "main"}, Hello()),
        ({"consent": "full"}, Hello(consent=Consent.FULL)),
        ({"consent": "anonymous"}, Hello(consent=Consent.ANONYMOUS)),
        ({"consent": "none"}, Hello(consent=Consent.NONE)),
        ({"user": {"id": "4711"}}, Hello(user=UserClaim(user_id="4711"))),
        ({"user": {"id": 4711}}, Hello(user=UserClaim(user_id="4711"))),
        ({"user": {"id": 0}}, Hello(user=UserClaim(user_id="0"))),
        ({"user": {"hash": SHA1}}, Hello(user=UserClaim(user_hash=SHA1))),
        ({"user": {"token": "a.b.c"}}, Hello(user=UserClaim(token="a.b.c"))),
        ({"user": {"id": "4711", "hash": "", "token": None}}, Hello(user=UserClaim(user_id="4711"))),
        ({"user": None}, Hello(is_logged_out=True)),
        ({"user": {}}, Hello(is_logged_out=True)),
        ({"user": {"id": None}}, Hello(is_logged_out=True)),
        ({"user": {"id": ""}}, Hello(is_logged_out=True)),
    ],
)
def test_hellos(keys: dict[str, Any], expected: Hello) -> None:
    """What the hello leaves out stays open; a user who is null or empty is nobody."""
    assert event_of({"event": "hello", **keys}) == expected


def packed(**values: object) -> str:
    """As Firebolt's `Advertising.config` gives the id: base64 of JSON."""
    return base64.b64encode(json.dumps(values).encode()).decode()


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ({"id": "u", "limit": False}, AdvertisingClaim("u", False)),
        ({"id": "u", "limit": 0}, AdvertisingClaim("u", False)),
        ({"id": "u", "limit": "0"}, AdvertisingClaim("u", False)),
        ({"id": "u", "limit": "false"}, AdvertisingClaim("u", False)),
        ({"ifa": "u", "ifa_type": "sspid", "lmt": "0"}, AdvertisingClaim("u", False)),
        ({"id": "u", "ifa": "v", "limit": 0, "lmt": 0}, AdvertisingClaim("u", False)),
        (
            {"ifaValue": "u", "ifa": packed(lmt="0"), "adOptOut": False},
            AdvertisingClaim("u", False),
        ),
        ({"ifaValue": "u", "ifa": packed(lmt="0"), "adOptOut": True}, AdvertisingClaim("u", True)),
        ({"ifa": packed(value="u", ifa_type="sspid", lmt="0")}, AdvertisingClaim("u", False)),
        ({"ifa": packed(value="u", lmt="1"), "lmt": "0"}, AdvertisingClaim("u", True)),
        ({"ifa": packed(value="u")}, AdvertisingClaim("u", True)),
        ({"ifa": "bm90IGpzb24=", "lmt": "0"}, AdvertisingClaim("bm90IGpzb24=", False)),
        ({"id": "u", "limit": True}, AdvertisingClaim("u", True)),
        ({"id": "u", "limit": 1}, AdvertisingClaim("u", True)),
        ({"id": "u", "limit": "1"}, AdvertisingClaim("u", True)),
        ({"id": "u", "lmt": "1"}, AdvertisingClaim("u", True)),
        ({"id": "u", "limit": 0, "lmt": 1}, AdvertisingClaim("u", True)),
        ({"id": "u"}, AdvertisingClaim("u", True)),
        ({"id": "u", "limit": None}, AdvertisingClaim("u", True)),
        ({"id": "u", "limit": ""}, AdvertisingClaim("u", True)),
        ({"id": "u", "limit": "no"}, AdvertisingClaim("u", True)),
        ({"id": "u", "limit": []}, AdvertisingClaim("u", True)),
        ({"id": "", "limit": 0}, AdvertisingClaim(None, False)),
        ({}, AdvertisingClaim(None, True)),
        (None, AdvertisingClaim(None, True)),
    ],
)
def test_advertising(claim: object, expected: AdvertisingClaim) -> None:
    """Tracking is limited unless every sign says that it is not; null withdraws the id."""
    event = event_of({"event": "hello", "advertising": claim})
    assert isinstance(event, Hello) and event.advertising == expected


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"protocol": "1"}, "protocol must be an integer"),
        ({"protocol": 1.5}, "protocol must be an integer"),
        ({"protocol": True}, "protocol must be an integer"),
        ({"app": "com.example.tv"}, "app must be an object or null"),
        ({"app": {"id": 5}}, "app.id must be a text"),
        ({"app": {"version": 2.4}}, "app.version must be a text"),
        ({"app": {"configid": 5}}, "app.configid must be a text"),
        ({"player": {"version": 1.22}}, "player.version must be a text"),
        ({"player": 5}, "player must be an object or null"),
        ({"consent": "FULL"}, "consent must be one of full, anonymous, none"),
        ({"consent": True}, "consent must be one of full, anonymous, none"),
        ({"consent": ""}, "consent must be one of full, anonymous, none"),
        ({"user": "4711"}, "user must be an object or null"),
        ({"user": {"name": "4711"}}, "user must have one of id, hash and token"),
        ({"user": {"id": "4711", "hash": SHA1}}, "user must have only one of id, hash and token"),
        ({"user": {"id": 1.5}}, "user.id must be a text or an integer"),
        ({"user": {"id": True}}, "user.id must be a text or an integer"),
        ({"user": {"hash": 5}}, "user.hash must be a text"),
        ({"user": {"token": ["a.b.c"]}}, "user.token must be a text"),
        ({"advertising": "u"}, "advertising must be an object or null"),
        ({"advertising": {"id": 5, "limit": 0}}, "advertising.id must be a text"),
    ],
)
def test_bad_hellos(keys: dict[str, Any], message: str) -> None:
    """A wrong value refuses the whole hello; of user and advertising only the rule is told."""
    error = refusal_of({"event": "hello", **keys}).error
    assert (type(error), str(error)) == (BadEvent, message)


SECRET = "s3cret"


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"event": "hello", "user": SECRET}),
        json.dumps({"event": "hello", "user": [SECRET]}),
        json.dumps({"event": "hello", "user": {SECRET: 1}}),
        json.dumps({"event": "hello", "user": {"id": {"x": SECRET}}}),
        json.dumps({"event": "hello", "user": {"id": SECRET, "token": SECRET}}),
        json.dumps({"event": "hello", "user": {"hash": [SECRET]}}),
        json.dumps({"event": "hello", "user": {"id": SECRET}, "consent": "maybe"}),
        json.dumps({"event": "hello", "advertising": SECRET}),
        json.dumps({"event": "hello", "advertising": {"id": [SECRET]}}),
        json.dumps({"event": "time", "position": {"user": {"token": SECRET}}}),
        '{"event":"hello","user":{"token":"' + SECRET,
        '{"event":"hello","user":{"token":"' + SECRET + '\\q"}}',
        '{"event":"hello","user":{"token":' + SECRET + "}}",
        SECRET,
        json.dumps({"event": "hello", "user": {"id": SECRET}}) + SECRET,
    ],
)
def test_secrets_stay_out_of_replies(line: str) -> None:
    """Whatever is wrong with a line, what it says of the user does not come back."""
    assert SECRET.encode() not in wire.error_reply(refusal_of(line))


KEYS = st.sampled_from(["id", "hash", "token", "version", "limit", "lmt", "ifa", "ifaValue", "adOptOut"])
MARKED = st.text(max_size=8).map(lambda text: f"{SECRET}{text}")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | MARKED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | MARKED, inner, max_size=4),
    max_leaves=10,
)
HELLOS = st.dictionaries(
    st.sampled_from(["protocol", "app", "player", "user", "advertising", "consent"]), ANYTHING
)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(HELLOS, st.sampled_from(["sub", "uid"]))
def test_whatever_a_hello_holds_is_taken_or_refused_without_a_word_of_it(
    keys: dict[str, Any], token_claim: str
) -> None:
    """Any JSON in any place: claims, or one BadEvent that quotes nothing; never another exception."""
    line = json.dumps({"event": "hello", **keys}).encode() + b"\n"
    (result,) = LineReader(1 << 20).feed(line)
    if isinstance(result, Received):
        assert isinstance(result.event, Hello)
        assert "user" not in keys or SECRET not in repr(result.event.user)
        try:
            claims = Claims().after(result.event, token_claim)
        except BadEvent as error:
            result = Rejected(error, result.line, None)
        else:
            assert claims.user_hash is None or re.fullmatch("[0-9a-f]{40}", claims.user_hash)
            return
    assert type(result.error) is BadEvent
    assert SECRET.encode() not in wire.error_reply(result)


def test_secrets_stay_out_of_representations() -> None:
    """A hello may be printed: the user's id is not in it."""
    assert SECRET not in repr(event_of({"event": "hello", "user": {"id": SECRET}}))


@pytest.mark.parametrize("word", ["", "null", "undefined", "None"])
def test_the_word_for_nothing_is_nothing(word: str) -> None:
    """A player that writes a missing value as a text has said nothing, and no ping repeats the word."""
    hello = event_of({"event": "hello", "app": {"id": word, "version": word}, "player": {"version": word}})
    assert hello == Hello()
