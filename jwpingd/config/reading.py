"""Configuration files and overrides → `Config`, or every problem in them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jwpingd.config.documents import WHOLE_FILE, Document, read_file, read_override
from jwpingd.config.draft import DEFAULT, Draft
from jwpingd.config.nearest import instead_of_value
from jwpingd.config.sections import Config
from jwpingd.config.writing import PLACEHOLDER, written
from jwpingd.errors import ConfigError, Problem
from jwpingd.ping import LISTED_SYSTEMS


class Loaded(NamedTuple):
    """A valid configuration and how it came about.

    `origins`: dotted key → "default", "FILE:LINE" or "--set", for every setting; entry n of the
    apps, counted from 0, is called "apps[n]".  `warnings` are doubts, not mistakes.
    """

    config: Config
    origins: Mapping[str, str]
    warnings: tuple[Problem, ...]


def load(files: Sequence[Path], overrides: Sequence[str] = (), *, looked_in: Sequence[Path] = ()) -> Loaded:
    """Read `files` in order, then `overrides` (KEY=VALUE); later ones win key by key, apps add up.

    `looked_in` is told to the operator when there is no file.  Raises ConfigError with all problems.
    """
    draft = Draft()
    for document in _documents(files, overrides, draft):
        draft.take(document)
    draft.problems += _missing(draft, files, looked_in)
    draft.problems += _contradictions(draft)
    if draft.problems:
        raise ConfigError(draft.problems)
    draft.warnings += _doubts(draft)
    origins = {key: str(origin) for key, origin in draft.origins.items()}
    return Loaded(draft.config(), origins, tuple(draft.warnings))


def _documents(files: Sequence[Path], overrides: Sequence[str], draft: Draft) -> Iterator[Document]:
    """Whatever can be read; the draft is told of the rest."""
    for file in files:
        try:
            yield read_file(file)
        except ConfigError as exc:
            draft.problems += exc.problems
    for override in overrides:
        try:
            yield read_override(override)
        except ConfigError as exc:
            draft.problems += exc.problems


def _missing(draft: Draft, files: Sequence[Path], looked_in: Sequence[Path]) -> Iterator[Problem]:
    """The one mandatory setting, unless a problem with it, or with a whole file, was told already."""
    key = "analytics_id"
    origin = draft.origins[key]
    told = {problem.key for problem in draft.problems}
    if key in draft.values or key in told or (WHOLE_FILE in told and origin == DEFAULT):
        return
    message = (
        "must be set: 22 characters that JW's account manager gives you, where JW calls it the analytics "
        f'token; write {key} = "…" in the file or give --set {key}=…'
    )
    if origin != DEFAULT:
        yield Problem(origin.file, origin.line, key, written(PLACEHOLDER), message)
    elif files:
        yield Problem(str(files[0]), 0, key, "", message)
    else:
        places = ", ".join(str(place) for place in looked_in)
        looked = f" (looked for {places})" if places else ""
        yield Problem(f"no configuration file{looked}", 0, key, "", message)


def _contradictions(draft: Draft) -> Iterator[Problem]:
    """Values that are allowed each, but not together."""
    system = draft.value("device.os")
    if system is not None and system not in LISTED_SYSTEMS and not draft.value("device.allow_unlisted_os"):
        message = (
            f"must be one of {', '.join(LISTED_SYSTEMS)}, or device.allow_unlisted_os must be true"
            + instead_of_value(system, LISTED_SYSTEMS)
        )
        yield _about(draft, "device.os", message)
    first_s, max_s = draft.value("uplink.retry_first_s"), draft.value("uplink.retry_max_s")
    if first_s > max_s:
        key = "uplink.retry_first_s" if "uplink.retry_first_s" in draft.values else "uplink.retry_max_s"
        message = f"the first wait ({first_s:g} s) must not be longer than the longest ({max_s:g} s)"
        yield _about(draft, key, message)


def _doubts(draft: Draft) -> Iterator[Problem]:
    """What can be meant, but is more often a slip."""
    system, sdk = draft.value("device.os"), draft.value("device.sdk")
    if system in LISTED_SYSTEMS and sdk is not None and str(sdk) != LISTED_SYSTEMS[system]:
        message = f'for os = "{system}" the interface has {LISTED_SYSTEMS[system]}'
        yield _about(draft, "device.sdk", message)


def _about(draft: Draft, dotted: str, message: str) -> Problem:
    origin = draft.origins[dotted]
    return Problem(origin.file, origin.line, dotted, written(draft.value(dotted)), message)
