"""What one glance at `jwpingd status` tells, from answers of the daemon."""

from __future__ import annotations

from typing import Any

import pytest

from jwpingd.cli.screens.prometheus import metrics
from jwpingd.cli.screens.status import screen
from jwpingd.clock import BUILD_MS, Clock
from jwpingd.daemon.status import age_s
from jwpingd.spool import Account
from tests.inline import entry, run
from tests.virtual_clocks import VirtualReaders


def an_answer(*, waiting: int = 0, **uplink: object) -> dict[str, Any]:
    """A daemon's answer at 1,000 s since boot."""
    way = {"is_online": True, "last_success_boot_ms": None, "last_error": "", "next_try_boot_ms": None}
    return {
        "version": "1",
        "state": "running",
        "boot_ms": 1_000_000,
        "up_s": 5.0,
        "delivered": 0,
        "waiting": waiting,
        "set_aside": 0,
        "folded": 0,
        "dropped": {"age": 0},
        "oldest_waiting_s": None,
        "store": {"reason": "", "n_in_memory": 0, "is_open": True},
        "clock": {"state": "trusted", "reason": "told"},
        "uplink": way | uplink,
        "plays_held": 0,
        "clients": [],
        "clients_refused": 0,
        "unknown_apps": 0,
        "consent": {"level": "full", "fault": ""},
    }


def test_nothing_waits_for_no_time() -> None:
    """A delivered ping whose row is not deleted yet is not the oldest that waits."""

    async def main() -> None:
        clock = Clock(VirtualReaders(BUILD_MS + 10_000, boot="boot"))
        assert age_s(Account(accepted=1, waiting=1, oldest=entry()), clock) is not None
        assert age_s(Account(accepted=1, delivered=1, oldest=entry()), clock) is None

    run(main)


def uplink_line(answer: dict[str, Any]) -> str:
    lines = screen(answer, is_coloured=False).splitlines()
    return next(line for line in lines if line.startswith("uplink")).removeprefix("uplink").strip()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (an_answer(), "online"),
        (an_answer(next_try_boot_ms=4_600_000), "online"),
        (an_answer(waiting=1, next_try_boot_ms=1_000_050), "online"),
        (
            an_answer(waiting=1, last_error="HTTP 503", next_try_boot_ms=4_600_000),
            "online; last error: HTTP 503; next try in 1 h 0 min",
        ),
        (an_answer(is_online=False, next_try_boot_ms=999_000), "offline; next try in 0 s"),
    ],
)
def test_when_the_next_try_comes(answer: dict[str, Any], said: str) -> None:
    """The next try is told when the link is down, and when the collector asked for patience."""
    assert uplink_line(answer) == said


def test_one_of_a_thing_is_told_as_one() -> None:
    """No line says "1 pings" or the like."""
    answer = an_answer() | {
        "plays_held": 1,
        "unknown_apps": 1,
        "store": {"reason": "", "n_in_memory": 1, "is_open": True},
    }
    said = screen(answer, is_coloured=False)
    assert "1 ping on the way to flash" in said
    assert "1 play waits for its player, 1 item of no known app" in said
    degraded = answer | {"store": {"reason": "full", "n_in_memory": 1, "is_open": True}}
    assert "1 ping only in memory" in screen(degraded, is_coloured=False)


def test_what_only_the_store_knows_is_not_told_without_it() -> None:
    """While the store cannot be opened nobody claims that nothing was lost, and no counter begins again."""
    store = {"reason": "full", "n_in_memory": 2, "is_open": False}
    answer = an_answer(waiting=2) | {"store": store, "accepted": 2, "clock_guessed": 0}
    said = screen(answer, is_coloured=False).splitlines()
    assert said[1].split(maxsplit=1)[1].startswith("2 waiting in memory")
    assert said[2].split(maxsplit=1)[1] == "not known before the store is open"
    assert "accepted" not in metrics(answer)
    assert "accepted" in metrics(answer | {"store": store | {"is_open": True}})
