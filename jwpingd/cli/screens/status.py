"""One screen that an operator understands in five seconds: what is wrong stands first, and in red."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jwpingd.plural import counted

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_Answer = dict[str, Any]


def screen(answer: _Answer, *, is_coloured: bool) -> str:
    """The daemon's answer to `status`, in lines of at most some 100 characters."""
    lines = []
    for name, text, is_bad in _rows(answer):
        line = f"{name:<10} {text}"
        lines.append(f"{_RED}{line}{_PLAIN}" if is_bad and is_coloured else line)
    return "\n".join([*lines, *_clients(answer)])


def _rows(answer: _Answer) -> Iterator[tuple[str, str, bool]]:
    """(name, text, whether it needs somebody)."""
    store, clock, uplink = answer["store"], answer["clock"], answer["uplink"]
    yield (
        "jwpingd",
        f"{answer['version']}, {answer['state']} for {duration(answer['up_s'])}",
        bool(store["reason"]),
    )
    yield "pings", _pings(answer), False
    yield "lost", _lost(answer), bool(sum(answer["dropped"].values()) or answer["set_aside"])
    yield "uplink", _uplink(answer), not uplink["is_online"]
    yield "clock", f"{clock['state']}: {clock['reason']}", clock["state"] != "trusted"
    yield "store", _store(store), bool(store["reason"])
    consent = answer["consent"]
    yield "consent", _consent(consent), consent["level"] != "full"
    yield "players", _players(answer), False


def duration(seconds: float) -> str:
    """ "41 s", "12 min", "3 h 5 min", "9 d 4 h": as much as a glance needs."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"


def _pings(answer: _Answer) -> str:
    if not answer["store"]["is_open"]:
        return f"{answer['waiting']} waiting in memory; the store, which counts the others, is not open"
    oldest_s = answer["oldest_waiting_s"]
    oldest = "" if oldest_s is None else f" (the oldest for {duration(oldest_s)})"
    folded = f", {answer['folded']} folded into others" if answer["folded"] else ""
    return f"{answer['delivered']} delivered, {answer['waiting']} waiting{oldest}{folded}"


def _lost(answer: _Answer) -> str:
    parts = [f"{n} dropped ({reason})" for reason, n in answer["dropped"].items() if n]
    if answer["set_aside"]:
        parts.append(f"{answer['set_aside']} set aside (see jwpingd queue list --set-aside)")
    return ", ".join(parts) or (
        "nothing" if answer["store"]["is_open"] else "not known before the store is open"
    )


def _uplink(answer: _Answer) -> str:
    uplink = answer["uplink"]
    parts = ["online" if uplink["is_online"] else "offline"]
    if uplink.get("last_success_boot_ms") is not None:
        parts.append(f"last delivery {_ago(answer, uplink['last_success_boot_ms'])}")
    if uplink["last_error"]:
        parts.append(f"last error: {uplink['last_error']}")
    if uplink.get("next_try_boot_ms") is not None:
        in_s = (uplink["next_try_boot_ms"] - answer["boot_ms"]) / 1000
        # A collector that asked for patience is online; that its pings wait for an hour is news all the same.
        if not uplink["is_online"] or (in_s >= 1 and answer["waiting"]):
            parts.append(f"next try in {duration(max(0.0, in_s))}")
    return "; ".join(parts)


def _ago(answer: _Answer, boot_ms: int) -> str:
    return f"{duration(max(0.0, (answer['boot_ms'] - boot_ms) / 1000))} ago"


def _store(store: _Answer) -> str:
    if store["reason"]:
        return f"degraded: {store['reason']}; {counted(store['n_in_memory'], 'ping')} only in memory"
    n_in_memory = store["n_in_memory"]
    return "ok" + (f", {counted(n_in_memory, 'ping')} on the way to flash" if n_in_memory else "")


def _players(answer: _Answer) -> str:
    n_plays = sum(len(client["players"]) for client in answer["clients"])
    n_held, n_unknown = answer["plays_held"], answer["unknown_apps"]
    held = f", {counted(n_held, 'play waits for its', 'plays wait for their')} player" if n_held else ""
    refused = f", {answer['clients_refused']} refused" if answer["clients_refused"] else ""
    unknown = f", {counted(n_unknown, 'item')} of no known app" if n_unknown else ""
    return f"{len(answer['clients'])} connected, {n_plays} playing{held}{refused}{unknown}"


def _consent(consent: dict[str, str]) -> str:
    if consent["fault"]:
        return f"unknown: {consent['fault']}; nothing is told before you choose (jwpingd identity --help)"
    return consent["level"] + ("" if consent["level"] == "full" else ": the box is opted out")


def _clients(answer: _Answer) -> Iterator[str]:
    for client in answer["clients"]:
        playing = ", ".join(
            f"{player['media']}{'' if player['has_started'] else ' (not started)'}"
            for player in client["players"]
        )
        who = f"uid {client['uid']} ({client['user']}) pid {client['pid']}"
        unit = f"  {client['unit']}" if client["unit"] else ""
        app = f"{client['app']} {client['app_version'] or ''}".strip()
        line = f"{who}{unit}  {app} ({client['app_source']})  {playing or 'nothing playing'}"
        # Players and users name apps and units as they like, control characters and all.
        yield f"{'':<10} " + "".join(each if each.isprintable() else "?" for each in line)
