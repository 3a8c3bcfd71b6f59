"""Ping ⇄ request target: the path and query of the GET, encoded as `encodeURIComponent` does.

A target is made without `sa`, because the wall clock may not be known yet; `stamp` adds it once,
before the first try, so that every retry is byte-identical.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from jwpingd.device import Fact
from jwpingd.ping.device import device_parameters
from jwpingd.ping.table import BUCKETS, EVENTS, KEYS
from jwpingd.ping.value import Facts, Ping, Progress

_UNRESERVED = "-_.!~*'()"  # besides letters and digits: ECMA-262, encodeURIComponent
_TI = r"(?<=[?&]ti=)(\d+)(?=&|$)"


def target(ping: Ping, facts: Facts) -> str:
    """The request target of `ping`, without `sa`; at most 6 KiB whatever the texts are."""
    path = BUCKETS[EVENTS[ping.kind].bucket]
    values = parameters(ping, facts)
    query = "&".join(
        f"{key.key}={_encode(values[key.key], key.max_encoded_bytes)}" for key in KEYS if key.key in values
    )
    return f"{path}?{query}"


def parameters(ping: Ping, facts: Facts) -> dict[str, str]:
    """Wire key → value in clear text, `sa` left out.  A value that is not known has no key."""
    values = {
        **session_parameters(ping),
        "aid": facts.analytics_id,
        "emi": ping.embed_id,
        "pli": ping.play_id,
        "fed": ping.feed_id or facts.feed_id or "",
        "av": facts.app_version,
        "bun": facts.app_id,
        "oaid": facts.user_hash,
        "oiid": facts.install_id,
        "ifa": facts.advertising_id,
        "ppid": None if facts.partner_id is None else str(facts.partner_id),
        "psv": facts.ping_spec_version,
        "epv": facts.player_version,
        **_device_values(facts),
    }
    return {key: value for key, value in values.items() if value or (key == "fed" and value is not None)}


def session_parameters(ping: Ping) -> dict[str, str]:
    """The part of the parameters that the events alone decide: no ids, no facts of the box."""
    return {
        "id": ping.media_id,
        "t": ping.title or ping.media_id,
        "fed": ping.feed_id or "",
        "pss": str(ping.item_number),
        "e": ping.kind,
        **_progress_parameters(ping.progress),
    }


def stamp(unstamped: str, sa_ms: int) -> str:
    """The target as it is sent: `unstamped` with the time of the event, Unix epoch in ms."""
    return f"{unstamped}&sa={sa_ms}"


def fold(earlier: str, later: str) -> str | None:
    """Two neighbouring unsent `t` of one play as one: the later, with the seconds of both.

    None where the two differ in more than progress (the user changed, say): then nothing is folded.
    """
    earlier_ti, later_ti = re.search(_TI, earlier), re.search(_TI, later)
    if earlier_ti is None or later_ti is None or _constant_part(earlier) != _constant_part(later):
        return None
    return re.sub(_TI, str(int(earlier_ti[1]) + int(later_ti[1])), later)


def read(whole: str) -> tuple[str, dict[str, str]]:
    """A request target → (bucket, parameters in clear text).  The bucket is "" for any other path.

    Raises ValueError when a key stands twice.  Decodes `%XX` only: `+` is a plus sign here.
    """
    path, _, query = whole.partition("?")
    bucket = next((name for name, its_path in BUCKETS.items() if its_path == path), "")
    values: dict[str, str] = {}
    for pair in query.split("&") if query else []:
        key, _, value = pair.partition("=")
        if key in values:
            raise ValueError(f"{key} stands twice")
        values[key] = unquote(value, errors="replace")
    return bucket, values


def encode_uri_component(text: str) -> str:
    """JavaScript's `encodeURIComponent`; a lone surrogate, which that refuses, becomes U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return quote(whole, safe=_UNRESERVED)


def _encode(text: str, max_encoded_bytes: int) -> str:
    """`text` percent-encoded and cut at a whole character to `max_encoded_bytes` (0: not cut)."""
    if not max_encoded_bytes:
        return encode_uri_component(text)
    # No character takes less than one encoded byte, so what lies beyond cannot matter.
    encoded = encode_uri_component(text[:max_encoded_bytes])
    if len(encoded) <= max_encoded_bytes:
        return encoded
    return _cut(encoded, max_encoded_bytes)


def _cut(encoded: str, n_bytes: int) -> str:
    """The longest run of whole characters from the start of `encoded` within `n_bytes`."""
    size = 0
    for character in unquote(encoded):
        width = len(quote(character, safe=_UNRESERVED))
        if size + width > n_bytes:
            break
        size += width
    return encoded[:size]


def _device_values(facts: Facts) -> dict[str, str]:
    system, sdk = facts.configured_os, facts.configured_sdk
    known = device_parameters(
        facts.device,
        None if system is None else Fact(system, "device.os"),
        None if sdk is None else Fact(str(sdk), "device.sdk"),
    )
    return {key: fact.value for key, fact in known.items()}


def _progress_parameters(progress: Progress | None) -> dict[str, str]:
    if progress is None:
        return {}
    return {
        "vd": str(progress.duration_s),
        "q": str(progress.n_quantiles),
        "pw": str(progress.position_128ths),
        "ti": str(progress.watched_s),
    }


def _constant_part(whole: str) -> list[str]:
    return [pair for pair in whole.split("&") if pair.partition("=")[0] not in ("pw", "ti", "vd", "q")]
