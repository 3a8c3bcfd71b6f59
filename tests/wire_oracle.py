"""A second reading of how a ping is written (ping interface §1 to §3), to hold `jwpingd.ping` against.

Typed from the page's table alone: parameters and the form of each, and the encoding of their values.
"""

from __future__ import annotations

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()"
SDK_OF_SYSTEM = {
    "Fire TV": "6",
    "Fire Mobile": "6",
    "Android TV": "1",
    "Android Mobile": "1",
    "Android": "1",
    "iOS": "2",
    "iPadOS": "2",
    "RokuOS": "3",
    "tvOS": "4",
    "Apple TVOS": "4",
    "Web": "0",
    "Tizen": "0",
    "SmartCast": "0",
}
REQUIRED = {
    "aid": r"[A-Za-z0-9+_-]{22}",
    "e": r"e|i|s|t|vs|gab",
    "sa": r"[0-9]+",
    "emi": r"[0-9a-z]{12}",
    "pli": r"[0-9a-z]{12}",
    "pss": r"[1-9][0-9]{0,4}",
    "fed": r"([0-9A-Za-z]{8})?",
    "id": r"[0-9A-Za-z]{8}",
    "t": r"(?s).+",
    "av": r"(?s).+",
    "bun": r"(?s).+",
    "oos": "|".join(SDK_OF_SYSTEM),
    "sdk": r"[0-6]",
}
OPTIONAL = {
    "oaid": r"[0-9a-z]{40}",
    "oiid": r"[0-9A-Za-z]{8}",
    "om": r"(?s).+",
    "oosv": r"(?s).+",
    "olng": r"(?s).+",
    "ofv": r"(?s).+",
    "ifa": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "ppid": r"[1-9][0-9]?",
    "psv": r"[0-9]+\.[0-9]+\.[0-9]+",
    "epv": r"(?s).+",
}
PROGRESS = {
    "vd": r"[0-9]+",
    "q": r"0|1|4|8|16|32",
    "pw": r"-1|[0-9]{1,2}|1[01][0-9]|12[0-8]",
    "ti": r"[0-9]+",
}
PATTERNS = REQUIRED | OPTIONAL | PROGRESS
MAX_TARGET_BYTES = 6 * 1024


def path_of(event: str) -> str:
    """Only the impression of an ad has a bucket of its own."""
    return "/v1/clienta/ping.gif" if event == "i" else "/v1/jwplayer6/ping.gif"


def encoded(text: str) -> str:
    """ECMA-262's encodeURIComponent, character by character."""
    return "".join(
        character if character in UNRESERVED else "".join(f"%{byte:02X}" for byte in character.encode())
        for character in text
    )


def cut(text: str, max_bytes: int) -> str:
    """As many whole characters of it, encoded, as fit."""
    fitting = ""
    for character in text:
        if len(fitting) + len(encoded(character)) > max_bytes:
            break
        fitting += encoded(character)
    return fitting


def split(target: str) -> tuple[str, dict[str, str]]:
    """Path, and key → value as it is written."""
    path, query = target.split("?")
    pairs = [pair.split("=") for pair in query.split("&")]
    assert len({key for key, _ in pairs}) == len(pairs), "a key stands twice"
    return path, dict(pairs)
