"""What goes over the wire, held to a second reading of the interface's table: `wire_oracle`."""

from __future__ import annotations

import re
from random import Random
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd import ping
from jwpingd.device import Device, Fact
from jwpingd.moment import Moment
from jwpingd.ping import Facts, Ping, Progress
from tests.wire_oracle import (
    MAX_TARGET_BYTES,
    OPTIONAL,
    PATTERNS,
    PROGRESS,
    REQUIRED,
    SDK_OF_SYSTEM,
    cut,
    encoded,
    path_of,
    split,
)

texts = st.one_of(st.text(min_size=1, max_size=30), st.text("aä€😀&=+ %#", min_size=1, max_size=1500))
facts_of_boxes = st.one_of(st.none(), texts.map(lambda value: Fact(value, "somewhere")))
devices = st.builds(
    Device,
    platform=st.just("any"),
    os_name=st.one_of(facts_of_boxes, st.sampled_from(list(SDK_OF_SYSTEM)).map(lambda name: Fact(name, "x"))),
    os_version=facts_of_boxes,
    model=facts_of_boxes,
    firmware=facts_of_boxes,
    language=facts_of_boxes,
    sign=st.just(""),
    vendor=st.none(),
    timezone=st.none(),
)
all_facts = st.builds(
    Facts,
    analytics_id=st.from_regex(REQUIRED["aid"], fullmatch=True),
    app_id=texts,
    app_version=texts,
    device=devices,
    feed_id=st.sampled_from([None, "ON53iLoH"]),
    user_hash=st.sampled_from([None, "0123456789abcdef" * 2 + "01234567"]),
    install_id=st.sampled_from([None, "2bl4leq6"]),
    advertising_id=st.sampled_from([None, "8f2d1c3a-5b6e-4f70-9a81-b2c3d4e5f607"]),
    partner_id=st.one_of(st.none(), st.integers(1, 99)),
    ping_spec_version=st.sampled_from([None, "1.0.0"]),
    player_version=st.one_of(st.none(), texts),
    configured_os=st.none(),
    configured_sdk=st.none(),
)
progresses = st.one_of(
    st.builds(Progress, st.just(0), st.just(0), st.just(-1), st.integers(0, 10**6)),
    st.builds(
        Progress,
        st.integers(1, 10**11),
        st.sampled_from([1, 4, 8, 16, 32]),
        st.just(128),
        st.integers(0, 10**6),
    ),
)


@st.composite
def all_pings(draw: st.DrawFn) -> Ping:
    kind = draw(st.sampled_from(["e", "i", "s", "t", "vs", "gab"]))
    progress = None if kind in "ei" else draw(progresses)
    if progress is not None and kind in ("s", "vs"):
        progress = progress._replace(watched_s=0)
    return Ping(
        kind,
        Moment("boot", 0, None),
        "a68nsivukerx",
        "2bffhmk5gnfh",
        draw(st.sampled_from([1, 99_999])),
        "9u6OHIO4",
        draw(st.one_of(st.just(""), texts)),
        draw(st.sampled_from([None, "AbCdEf12"])),
        progress,
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(all_pings(), all_facts)
def test_a_target_is_as_the_table_says(made: Ping, facts: Facts) -> None:
    """Path of the bucket; every key that is due, no other, in its form; within 6 KiB."""
    target = ping.stamp(ping.target(made, facts), 1_795_641_206_620)
    path, written = split(target)
    assert path == path_of(made.kind)
    assert REQUIRED.keys() <= written.keys() <= PATTERNS.keys()
    assert written.keys() & PROGRESS.keys() == (set() if made.progress is None else PROGRESS.keys())
    for key, value in written.items():
        assert re.fullmatch(PATTERNS[key], unquote(value)), (key, value)
        assert value == encoded(unquote(value))
    assert written["sdk"] == SDK_OF_SYSTEM[unquote(written["oos"])]
    assert len(target) <= MAX_TARGET_BYTES


@settings(max_examples=60, deadline=None, derandomize=True)
@given(all_pings(), all_facts)
def test_a_value_stands_under_its_key(made: Ping, facts: Facts) -> None:
    """What is known is there, cut between two characters if it is long; what is not known has no key."""
    known: dict[str, str | None] = {
        "t": made.title or made.media_id,
        "fed": made.feed_id or facts.feed_id or "",
        "av": facts.app_version,
        "bun": facts.app_id,
        "oaid": facts.user_hash,
        "oiid": facts.install_id,
        "ifa": facts.advertising_id,
        "om": None if facts.device.model is None else facts.device.model.value,
        "ofv": None if facts.device.firmware is None else facts.device.firmware.value,
        "ppid": None if facts.partner_id is None else str(facts.partner_id),
        "psv": facts.ping_spec_version,
        "epv": facts.player_version,
    }
    _, written = split(ping.target(made, facts))
    for key, value in known.items():
        expected = None if value is None else cut(value, 1024 if key == "t" else 512)
        assert written.get(key) == expected


def test_the_largest_target_fits() -> None:
    """With every text cut and every number at its largest a target is within 6 KiB, and just so."""
    text = Fact("x" * 5000, "somewhere")
    device = Device("any", os_name=text, os_version=text, model=text, firmware=text, language=text)
    facts = Facts(
        *("+" * 22, "x" * 5000, "x" * 5000, device),
        configured_os="x" * 5000,
        user_hash="0" * 40,
        install_id="x" * 8,
        advertising_id="8f2d1c3a-5b6e-4f70-9a81-b2c3d4e5f607",
        partner_id=99,
        ping_spec_version="1.0.0-" + "x" * 5000,
        player_version="x" * 5000,
    )
    progress = Progress(10**11, 32, 128, 10**11)
    made = Ping(
        *("gab", Moment("boot", 0, None), "x" * 12, "x" * 12, 99_999, "x" * 8, "x" * 5000, "x" * 8, progress)
    )
    target = ping.stamp(ping.target(made, facts), 10**14)
    assert set(split(target)[1]) == set(PATTERNS)
    assert 5800 < len(target) <= MAX_TARGET_BYTES


def test_each_character_is_encoded_as_encode_uri_component_does() -> None:
    """Letters, digits and - _ . ! ~ * ' ( ) stand for themselves; all else is UTF-8 in capital hex."""
    for code in [*range(0x180), 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF]:
        made = Ping("e", Moment("boot", 0, None), "x" * 12, "x" * 12, 1, "x" * 8, chr(code), None, None)
        assert split(ping.target(made, SMALL))[1]["t"] == encoded(chr(code))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(all_pings(), all_facts, st.integers(0, 2**32))
def test_the_order_of_keys_says_nothing(made: Ping, facts: Facts, seed: int) -> None:
    """A reader gets the same ping from a target whose keys stand in any order."""
    target = ping.stamp(ping.target(made, facts), 1_795_641_206_620)
    path, query = target.split("?")
    pairs = query.split("&")
    Random(seed).shuffle(pairs)
    assert ping.read(f"{path}?{'&'.join(pairs)}") == ping.read(target)
    assert ping.violations(*ping.read(target)) == []


SMALL = Facts("a" * 22, "com.example.tv", "1", Device("any"))


@pytest.mark.parametrize("key", PATTERNS)
@pytest.mark.parametrize("wrong", [None, "", "null", "ä b", "-2", "129", "999999", "x" * 41])
def test_what_is_not_of_its_form_is_found(key: str, wrong: str | None) -> None:
    """A ping with one value that the table forbids, or without one that it wants, is told from a good one."""
    facts = Facts(
        *("a" * 22, "com.example.tv", "1", Device("any", model=Fact("Box", "x"))),
        user_hash="0" * 40,
        partner_id=7,
    )
    progress = Progress(653, 32, 128, 21)
    made = Ping("t", Moment("b", 0, None), "x" * 12, "y" * 12, 1, "9u6OHIO4", "x", None, progress)
    bucket, values = ping.read(ping.stamp(ping.target(made, facts), 1_795_641_206_620))
    values.pop(key, None)
    if wrong is not None:
        values[key] = wrong
    # An integrator may name a system that is not listed, so any text is let through.
    pattern = ".+" if key == "oos" else PATTERNS[key]
    is_good = key in OPTIONAL if wrong is None else re.fullmatch(pattern, wrong) is not None
    assert (not ping.violations(bucket, values)) == is_good, ping.violations(bucket, values)
