"""Which app a play is counted for: the order of ping interface §8.

`hello`, then `[[apps]]`, then what was detected, then `[app]`, then the user's name.  Id and version are
looked for each on its own, because many a source knows but one of them.
"""

from __future__ import annotations

from jwpingd import apps
from jwpingd.apps import App, Process
from jwpingd.config import AppRule, Config
from jwpingd.server import Claims

_NOTHING = (None, None, "")
UNKNOWN = "user"
"""The source of an id that is only the name of a user."""


def app(config: Config, process: Process, detected: App | None, claims: Claims) -> App:
    """The id and version to send, and who says the id."""
    entry = rule(config, process, detected, claims)
    known = (
        (claims.app_id, claims.app_version, "hello"),
        (entry.id, entry.version, "[[apps]]") if entry else _NOTHING,
        (detected.id, detected.version, detected.source) if detected else _NOTHING,
        (config.app.id, config.app.version, "[app]"),
        (f"unknown.{process.user}", None, UNKNOWN),
    )
    app_id, source = next((app_id, source) for app_id, _, source in known if app_id)
    return App(app_id, next((version for _, version, _ in known if version), None), source)


def rule(config: Config, process: Process, detected: App | None, claims: Claims) -> AppRule | None:
    """The first entry of `[[apps]]` whose conditions all hold."""
    app_id = claims.app_id or (detected.id if detected else None)
    return next((entry for entry in config.apps if apps.matches(entry.match, process, app_id)), None)


def must_be_detected(config: Config, process: Process, claims: Claims) -> bool:
    """Whether what the player says and what is configured leave something open."""
    if not claims.app_id and any("app" in entry.match for entry in config.apps):
        return True
    entry = rule(config, process, None, claims)
    has_id = claims.app_id or (entry and entry.id)
    has_version = claims.app_version or (entry and entry.version)
    return not (has_id and has_version)
