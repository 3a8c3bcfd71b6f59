"""The forms in which boxes write metadata: text → {key: value}.  Pure; nothing here raises.

Values are as written, perhaps empty or placeholders: what they mean is `meaning`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Form = Callable[[str], Mapping[str, str]]

# Patterns are compiled at first use: few are needed on any one box, and the daemon starts on slow ones.
# None of them can be made to take long: a test tries to.
_ESCAPE = r"""\\([\\$"'`])"""
_DOUBLE_QUOTED = r'"((?:[^"\\]|\\.)*)'
_COMMENT = r"\s#.*"
_COLON_OR_EQUALS = r"([A-Za-z_][A-Za-z0-9_ \t]*)[:=](.*)"
_XML_ELEMENT = r"<(\w+)\b([^<>]*)>([^<]*)</\1\s*>"
_XML_ATTRIBUTE = r"""\b(?:name|id)\s*=\s*(?:"([^"]*)"|'([^']*)')"""
_XML_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_UCI_OPTION = r"""\s*option\s+(\S+)\s+(?:'([^']*)'|"([^"]*)"|(\S+)).*"""


def assignments(text: str) -> dict[str, str]:
    """`KEY=value` as os-release(5) is read, the last one of a key.

    Blanks around "=" are taken, as are values with bare blanks: both are found on boxes.
    """
    found = {}
    for line in _lines(text):
        key, equals, value = line.partition("=")
        if equals:
            found[key.strip()] = _unquoted(value.strip())
    return found


def properties(text: str) -> dict[str, str]:
    """Android's build.prop: no quotes, no comment after a value, the last one of a key.

    Source: property_service.cpp of AOSP.  `import FILE` is not followed: no file that describes the device
    is known to be brought in so.
    """
    pairs = (line.partition("=") for line in _lines(text))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def colons_or_equals(text: str) -> dict[str, str]:
    """RDK's version.txt and /proc/cpuinfo: `key: value` or `KEY=value` among free text, the first of a key.

    Only the first ":" or "=" of a line divides it.
    """
    found: dict[str, str] = {}
    for line in _lines(text):
        if match := re.fullmatch(_COLON_OR_EQUALS, line):
            found.setdefault(match[1].strip(), _unquoted(match[2].strip()))
    return found


def json_texts(text: str) -> dict[str, str]:
    """The texts of a JSON object, nested ones under dotted keys.

    Some sets write rubbish behind the object, which is left out; of one that is broken itself, what
    stands up to the first "}" is tried.
    """
    start, end = text.find("{"), text.find("}")
    for candidate in (text[start:], text[start : end + 1]) if start >= 0 else ():
        try:
            return dict(_flat("", json.JSONDecoder().raw_decode(candidate)[0]))
        except (ValueError, RecursionError):
            continue
    return {}


def ini(text: str) -> dict[str, str]:
    """Sections and their keys, under "[Section] Key"; Tizen ends its values with ";"."""
    found, section = dict[str, str](), ""
    for line in _lines(text):
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = f"[{line[1:-1].strip()}] "
        elif "=" in line:
            key, _, value = line.partition("=")
            found[section + key.strip()] = value.strip().removesuffix(";").strip()
    return found


def xml_names(text: str) -> dict[str, str]:
    """The text of each XML element without children, under its `name` or `id`."""
    found = {}
    for element in re.finditer(_XML_ELEMENT, _without_comments(text)):
        if name := re.search(_XML_ATTRIBUTE, element[2]):
            found[name[1] or name[2] or ""] = _without_entities(element[3])
    return found


def uci(text: str) -> dict[str, str]:
    """OpenWrt's configuration: `option name 'value'`, the first of a name, whatever its section."""
    found: dict[str, str] = {}
    for line in _lines(text):
        if match := re.fullmatch(_UCI_OPTION, line):
            found.setdefault(match[1], match[2] or match[3] or match[4] or "")
    return found


def words(text: str) -> dict[str, str]:
    """The kernel's command line: `key=value` words between blanks."""
    pairs = (word.partition("=") for word in text.split())
    return {key: value for key, equals, value in pairs if equals}


def _lines(text: str) -> list[str]:
    """Without those that are comments."""
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def _unquoted(value: str) -> str:
    """The value as a shell would have it, but for bare blanks, which are kept, and no expansion."""
    if value.startswith("'"):
        return value[1:].partition("'")[0]
    if value.startswith('"'):
        inner = re.match(_DOUBLE_QUOTED, value)
        value = inner[1] if inner else value[1:]
    elif "#" in value:
        value = re.sub(_COMMENT, "", value)
    return re.sub(_ESCAPE, r"\1", value) if "\\" in value else value


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, part)
    elif isinstance(value, str):
        yield prefix, value


def _without_entities(text: str) -> str:
    for entity, character in _XML_ENTITIES.items():
        text = text.replace(entity, character)
    return text


def _without_comments(text: str) -> str:
    """Up to a comment that does not end, because what comes after it is one."""
    while "<!--" in text:
        before, _, rest = text.partition("<!--")
        text = before + rest.partition("-->")[2]
    return text
