"""A house of players whose pings tell everything of their users, to see what becomes of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jwpingd import identity
from jwpingd.device import Device
from jwpingd.events import Consent
from jwpingd.ping import Facts
from jwpingd.server import Claims
from tests.house import ITEM, House, KnownCaller, Player, settle
from tests.spool_values import is_balanced

USER_KEYS = {"oaid", "oiid", "ifa"}
GENERATED = "99999999-8888-4777-8666-555555555555"
UNLIMITED = {"limit": "0"}
KEYED = ITEM | {"play": "k"}


class TalkativeCaller(KnownCaller):
    """A player of a box that tells everything there is."""

    def facts(self, claims: Claims) -> Facts | None:
        facts = Facts(
            "a17e8PTFFffxLgpVuA4vVw",
            "app",
            "1",
            Device("test"),
            user_hash=claims.user_hash,
            install_id="k3v9x0ab",
            advertising_id=identity.advertising_id("generate", claims.advertising, GENERATED),
        )
        return claims.restriction(Consent.FULL).facts(facts)


def house_in(directory: Path, **rules: Any) -> House:
    """A house of talkative players, where `rules` are others than usual."""
    house = House(directory, TalkativeCaller)
    house.server.limits = house.limits._replace(rules=house.limits.rules._replace(**rules))
    return house


def hello(**keys: Any) -> dict[str, Any]:
    return {"event": "hello", **keys}


def told(house: House) -> list[set[str]]:
    """Which of the user's keys each waiting ping carries, in order."""
    return [USER_KEYS & values.keys() for _, values in house.pings()]


def check_account(house: House, **dropped: int) -> None:
    """It balances, and so many pings were dropped for the user's sake."""
    account = house.writer.account()
    assert is_balanced(account)
    assert account.dropped["opt_out"] == dropped.get("opt_out", 0)


def files_with(directory: Path, *texts: str) -> list[str]:
    """Which files of the store hold one of these."""
    return [
        path.name
        for path in (directory / "state").iterdir()
        if any(text.encode() in path.read_bytes() for text in texts)
    ]


async def play(player: Player, *events: dict[str, Any]) -> None:
    player.write(*events)
    await settle()
