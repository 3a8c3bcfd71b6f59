"""Whatever players say of consent, in whatever order, and whatever flash and the collector do meanwhile."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.house import ITEM, REMOVE, House, Player, serving, settle, tick
from tests.inline import run
from tests.spool_values import is_balanced
from tests.talkative import USER_KEYS, files_with, hello, house_in

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.sampled_from(
            [
                "item",
                "item",
                "tick",
                "remove",
                "none",
                "anonymous",
                "full",
                "deliver",
                "try",
                "refuse",
                "take",
            ]
        ),
    ),
    max_size=30,
)


@dataclass
class Viewer:
    """A player, and what may be told of each item it began: "full", "anonymous" or nothing."""

    player: Player
    consent: str = "full"
    items: dict[str, str] = field(default_factory=dict)

    def begin(self, media_id: str) -> None:
        self.items[media_id] = self.consent
        self.player.write(ITEM | {"mediaid": media_id})

    def choose(self, consent: str) -> None:
        order = ["full", "anonymous", "none"]
        self.consent = consent
        for media_id, allowed in self.items.items():
            self.items[media_id] = max(allowed, consent, key=order.index)
        self.player.write(hello(consent=consent))


async def take(house: House, viewer: Viewer, step: str, media_id: str) -> None:
    if step == "item":
        viewer.begin(media_id)
    elif step in ("tick", "remove"):
        viewer.player.write(tick(0) if step == "tick" else REMOVE)
    elif step in ("refuse", "take"):
        house.spool.refuses = step == "refuse"
    elif step in ("deliver", "try"):
        for entry in await house.writer.claim(2):
            if step == "deliver":
                house.writer.delivered(entry.id)
            house.writer.release([entry.id])
    else:
        viewer.choose(step)


@settings(deadline=None, derandomize=True, max_examples=16)
@given(STEPS)
def test_nothing_forbidden_is_left_and_every_ping_is_accounted_for(steps: list[tuple[int, str]]) -> None:
    """In the end no file knows of a forbidden item, no allowed ping tells more than it may, all acks came."""

    async def main(directory: Path) -> None:
        (directory / "state").mkdir()
        async with serving(house_in(directory)) as house:
            viewers = [Viewer(house.connect()) for _ in range(2)]
            for viewer in viewers:
                viewer.player.write(hello(user={"id": "x"}))
            for number, (which, step) in enumerate(steps):
                await take(house, viewers[which], step, f"item{number:04d}")
                if number % 3:
                    await settle(0.1)
            house.spool.refuses = False
            for viewer in viewers:
                viewer.player.write(hello(id="last"))
            await settle(3)
            check(house, directory, viewers)

    with tempfile.TemporaryDirectory() as directory:
        run(lambda: main(Path(directory)))


def check(house: House, directory: Path, viewers: list[Viewer]) -> None:
    allowed = viewers[0].items | viewers[1].items
    forbidden = [media_id for media_id, level in allowed.items() if level == "none"]
    assert files_with(directory, "nothing", *forbidden) == []
    for _, values in house.pings():
        assert allowed[values["id"]] == "full" or not USER_KEYS & values.keys()
    account = house.writer.account()
    assert is_balanced(account) and account.waiting == len(house.pings())
    for viewer in viewers:
        assert viewer.player.replies()[-1] == {"ack": "last"}
