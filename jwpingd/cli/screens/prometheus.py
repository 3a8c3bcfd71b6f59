"""The daemon's answer to `status` as metrics, in Prometheus's text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_Answer = dict[str, Any]
_Labels = dict[str, str]


class _Metric(NamedTuple):
    name: str
    kind: str
    help: str
    samples: tuple[tuple[_Labels, float], ...]


def metrics(answer: _Answer) -> str:
    """All of them, each with its help and type; seconds and counts, as Prometheus wants its units."""
    lines = [line for metric in _metrics(answer) if metric.samples for line in _lines(metric)]
    return "\n".join(lines) + "\n"


def _metrics(answer: _Answer) -> Iterator[_Metric]:
    uplink, clock = answer["uplink"], answer["clock"]
    yield _Metric("jwpingd_info", "gauge", "Version.", (({"version": answer["version"]}, 1),))
    yield _one("up_seconds", "gauge", "Time since the daemon started.", answer["up_s"])
    if answer["store"]["is_open"]:  # Counters that begin again at 0 would look like another daemon's.
        yield from _account(answer)
    yield _one(
        "oldest_waiting_seconds", "gauge", "Age of the oldest waiting ping.", answer["oldest_waiting_s"]
    )
    yield _one("memory_pings", "gauge", "Pings not yet on flash.", answer["store"]["n_in_memory"])
    yield _one("store_ok", "gauge", "Flash takes what it is given.", not answer["store"]["reason"])
    yield _one("clock_trusted", "gauge", "The wall clock is believed.", clock["state"] == "trusted")
    yield _one("uplink_online", "gauge", "The collector takes pings.", uplink["is_online"])
    yield _one("uplink_failures", "gauge", "Failures in a row.", uplink.get("n_failures"))
    yield _one(
        "uplink_last_delivery_seconds", "gauge", "Time since the last delivery.", _since_delivery_s(answer)
    )
    retries = tuple(({"reason": reason}, n) for reason, n in uplink.get("retries", {}).items())
    yield _Metric("jwpingd_retries_total", "counter", "Tries that are made again, since the start.", retries)
    yield _one("clients", "gauge", "Connected players.", len(answer["clients"]))
    playing = sum(len(client["players"]) for client in answer["clients"])
    yield _one("plays", "gauge", "Running plays.", playing)
    yield _one("opted_out", "gauge", "The box is opted out.", answer["consent"]["level"] != "full")
    yield _one("plays_held", "gauge", "Plays that wait for their player.", answer["plays_held"])
    yield _one("clients_refused_total", "counter", "Connections refused.", answer["clients_refused"])
    yield _one("unknown_apps_total", "counter", "Items whose app nobody named.", answer["unknown_apps"])


def _since_delivery_s(answer: _Answer) -> float | None:
    last_ms = answer["uplink"].get("last_success_boot_ms")
    return None if last_ms is None else (answer["boot_ms"] - last_ms) / 1000


def _account(answer: _Answer) -> Iterator[_Metric]:
    yield _one("pings_accepted_total", "counter", "Pings made.", answer["accepted"])
    yield _one("pings_delivered_total", "counter", "Pings the collector took.", answer["delivered"])
    yield _one("pings_waiting", "gauge", "Pings that wait for delivery.", answer["waiting"])
    yield _one("pings_set_aside", "gauge", "Pings the collector refused for good.", answer["set_aside"])
    yield _one("pings_folded_total", "counter", "Pings folded into others.", answer["folded"])
    dropped = tuple(({"reason": reason}, n) for reason, n in answer["dropped"].items())
    yield _Metric("jwpingd_pings_dropped_total", "counter", "Pings lost, by reason.", dropped)
    yield _one("clock_guessed_total", "counter", "Pings with an unproven time.", answer["clock_guessed"])


def _one(name: str, kind: str, text: str, value: float | None) -> _Metric:
    samples: tuple[tuple[_Labels, float], ...] = () if value is None else (({}, float(value)),)
    return _Metric(f"jwpingd_{name}", kind, text, samples)


def _lines(metric: _Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.help}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for labels, value in metric.samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{metric.name}{'{' + inside + '}' if inside else ''} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    # Whole numbers in full: %g would round a large counter.
    return str(int(value)) if float(value).is_integer() else repr(float(value))
