"""What an operator probably meant: the nearest valid key or value to one that is not."""

from __future__ import annotations

from collections.abc import Iterable

from jwpingd.config.sections import MATCH_KEYS, SECTIONS
from jwpingd.config.table import APP_SETTINGS, BY_SECTION, SETTINGS


def instead_of_key(section: str, key: str) -> str:
    """What to write instead of the unknown `key` in `section` ("" before all sections, "apps", "match")."""
    valid = _keys_of(section)
    near = nearest(key, valid)
    if near is None:
        elsewhere = {
            setting.key: dotted for dotted, setting in SETTINGS.items() if setting.section != section
        }
        near = elsewhere.get(nearest(key, elsewhere) or "")
    if near is None:
        return f"there are: {', '.join(valid)}"
    return f'did you mean "{near}"?'


def instead_of_value(raw: object, choices: Iterable[str]) -> str:
    """The end of a sentence that names the nearest choice, or nothing."""
    near = nearest(raw, choices) if isinstance(raw, str) else None
    return "" if near is None else f'; did you mean "{near}"?'


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The most similar candidate, case and dashes apart; None when none is similar."""
    spelt = {candidate.lower(): candidate for candidate in candidates}
    # Keys are short, so what is longer than that is no misspelling (and comparing takes long).
    wanted = word[:64].lower().replace("-", "_")
    begun = [spelling for spelling in spelt if len(wanted) > 1 and spelling.startswith(wanted)]
    if len(begun) == 1:
        return spelt[begun[0]]
    # Imported here, because it is needed only for messages and the daemon starts on slow boxes.
    import difflib

    near = difflib.get_close_matches(wanted, spelt, n=1)
    return spelt[near[0]] if near else None


def _keys_of(section: str) -> list[str]:
    if section == "match":
        return list(MATCH_KEYS)
    if section == "apps":
        return ["match", *APP_SETTINGS]
    if section == "":
        return [*BY_SECTION[""], *SECTIONS, "apps"]
    return list(BY_SECTION[section])
