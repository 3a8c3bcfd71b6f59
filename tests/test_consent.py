"""What becomes of pings when somebody wants less told: those to come, those that wait, those in flight."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd import ping
from jwpingd.device import Device
from jwpingd.events import Consent
from jwpingd.moment import Moment
from jwpingd.ping import Facts, Restriction
from jwpingd.server.players import MAX_EMBEDS
from tests.house import ITEM, REMOVE, serving, settle, tick
from tests.inline import run
from tests.spool_values import is_balanced
from tests.talkative import (
    GENERATED,
    KEYED,
    UNLIMITED,
    USER_KEYS,
    check_account,
    files_with,
    hello,
    house_in,
    play,
    told,
)

# --- what a player says in a hello ----------------------------------------------------------------


def test_none_purges_what_waits_and_ends_what_plays(tmp_path: Path) -> None:
    """After "none" nothing of the connection waits, in no file, and its running play makes no ping."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, hello(user={"id": "x"}), ITEM, tick(0), REMOVE, KEYED, tick(0))
            assert house.kinds() == "e s gab e s"
            await play(
                player, hello(consent="none", id=1), tick(5), REMOVE, ITEM, tick(0), REMOVE | {"id": 2}
            )
            assert player.replies() == [{"ack": 1}, {"ack": 2}]
            assert house.kinds() == "" and house.spool.checkpoints() == []
            check_account(house, opt_out=5)
            assert files_with(tmp_path, "9u6OHIO4", "Elephants") == []
            player.close()
            await settle(200)  # Nor does a play with a key get its gab when its time is over.
            assert house.kinds() == ""

    run(main)


def test_none_is_for_one_connection(tmp_path: Path) -> None:
    """What other connections made stays, and goes on."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            other, player = house.connect(), house.connect()
            await play(other, ITEM | {"mediaid": "OtherOne"}, tick(0))
            await play(player, ITEM, tick(0), hello(consent="none"))
            await play(other, REMOVE)
            assert [values["id"] for _, values in house.pings()] == ["OtherOne"] * 3
            check_account(house, opt_out=2)

    run(main)


def test_full_again_counts_from_the_next_item(tmp_path: Path) -> None:
    """A looser consent revives nothing: neither what was purged nor the running play."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, ITEM, tick(0), hello(consent="none"), hello(consent="full"), tick(1), REMOVE)
            assert house.kinds() == ""
            await play(player, ITEM, tick(0))
            assert house.kinds() == "e s"

    run(main)


def test_anonymous_strips_what_was_never_tried(tmp_path: Path) -> None:
    """Pings that nobody tried to send keep all but the user's parameters; what they report is the same."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, hello(user={"id": "x"}), KEYED, tick(0))
            await play(player, tick(1), REMOVE, KEYED, tick(0))
            before = house.pings()
            assert told(house) == [USER_KEYS] * 5
            await play(player, hello(consent="anonymous", id=1))
            assert player.replies() == [{"ack": 1}]
            assert told(house) == [set()] * 5
            bare = [
                (kind, {key: values[key] for key in values if key not in USER_KEYS})
                for kind, values in before
            ]
            assert house.pings() == bare
            check_account(house)
            oaid = before[0][1]["oaid"]
            assert files_with(tmp_path, oaid, "k3v9x0ab", GENERATED) == []
            await play(player, REMOVE)
            assert told(house) == [set()] * 6

    run(main)


def test_anonymous_purges_what_may_have_been_tried(tmp_path: Path) -> None:
    """A ping that the collector may have is never sent again with other bytes: it is dropped."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, hello(user={"id": "x"}), ITEM, tick(0), REMOVE)
            (tried,) = await house.writer.claim(1)
            house.writer.release([tried.id])
            await play(player, hello(consent="anonymous"))
            assert house.kinds() == "s gab" and told(house) == [set()] * 2
            check_account(house, opt_out=1)

    run(main)


def test_what_was_tried_from_memory_is_purged_too(tmp_path: Path) -> None:
    """While flash refuses, tries leave no mark there; they are remembered all the same."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            house.spool.refuses = True
            await play(player, hello(user={"id": "x"}), ITEM, tick(0), REMOVE)
            (tried,) = await house.writer.claim(1)
            house.writer.release([tried.id])
            await play(player, hello(consent="anonymous"))
            house.spool.refuses = False
            await settle(2)
            assert house.kinds() == "s gab" and told(house) == [set()] * 2
            check_account(house, opt_out=1)

    run(main)


def test_each_stricter_word_is_obeyed(tmp_path: Path) -> None:
    """From limited to anonymous to none, with no ping made in between."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, hello(user={"id": "x"}, advertising=UNLIMITED), ITEM)
            for words, expected in (
                ({"advertising": {"limit": 1}}, [{"oaid", "oiid"}]),
                ({"consent": "anonymous"}, [set()]),
                ({"consent": "none"}, []),
            ):
                await play(player, hello(**words))
                assert told(house) == expected

    run(main)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, {"oiid", "ifa"}),
        ({"advertising": {"limit": "1"}}, {"oiid"}),
        ({"consent": "anonymous"}, set()),
        ({"consent": "none"}, None),
    ],
)
@pytest.mark.parametrize("user", [{"token": "no.jwt"}, {"hash": "4711"}])
def test_a_user_that_cannot_be_read_is_nobody(
    tmp_path: Path, user: dict[str, str], words: dict[str, Any], expected: set[str] | None
) -> None:
    """The player is told; the user of before is gone, and what else the hello says counts."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, hello(user={"id": "x"}, advertising=UNLIMITED), ITEM, tick(0))
            await play(player, hello(user=user, **words), ITEM | {"id": 1})
            refused, ack = player.replies()
            assert (refused["error"], ack) == ("bad-event", {"ack": 1})
            assert told(house)[-1:] == ([] if expected is None else [expected])

    run(main)


def test_limited_tracking_takes_the_advertising_id_at_once(tmp_path: Path) -> None:
    """When tracking becomes limited, running and waiting pings lose the advertising id, and only that."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, hello(user={"id": "x"}, advertising=UNLIMITED), ITEM, tick(0))
            await play(player, hello(advertising={"limit": "1"}), REMOVE, ITEM)
            assert told(house) == [{"oaid", "oiid"}] * 4
            assert files_with(tmp_path, GENERATED) == []
            await play(player, hello(advertising=UNLIMITED), ITEM)
            assert "ifa" in told(house)[-1]

    run(main)


def test_what_is_kept_on_opt_out_is_left_alone(tmp_path: Path) -> None:
    """With privacy.on_opt_out = keep, what waits goes out as it was made; new pings obey all the same."""

    async def main() -> None:
        async with serving(house_in(tmp_path, purges_on_opt_out=False)) as house:
            player = house.connect()
            await play(player, hello(user={"id": "x"}), ITEM, tick(0), hello(consent="anonymous"), REMOVE)
            assert told(house) == [USER_KEYS, USER_KEYS, set()]
            await play(player, hello(consent="none"), ITEM, tick(0))
            assert house.kinds() == "e s gab"
            check_account(house)

    run(main)


def test_the_default_is_what_a_first_hello_is_measured_by(tmp_path: Path) -> None:
    """Where the configuration says anonymous, a player that says so too changes nothing."""

    async def main() -> None:
        async with serving(house_in(tmp_path, consent=Consent.ANONYMOUS)) as house:
            player = house.connect()
            await play(player, ITEM, tick(0))
            before = house.spool.last_batch
            await play(player, hello(consent="anonymous"))
            await play(house.connect(), hello(consent="none"))  # It has made no ping that could wait.
            assert house.spool.last_batch == before

    run(main)


def test_changing_one_s_mind_all_the_time_costs_little(tmp_path: Path) -> None:
    """A consent that flips makes no purge unless pings came in between."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, ITEM, tick(0))
            flips = [hello(consent=consent) for _ in range(100) for consent in ("none", "full")]
            dialogue = next(iter(house.server.connections)).dialogue
            before = dialogue.ticket
            await play(player, *flips)
            assert dialogue.ticket - before == 2  # The end of the play, and one purge.

    run(main)


def test_a_play_taken_over_obeys_its_new_connection(tmp_path: Path) -> None:
    """Its running play is restricted when it comes, its waiting pings by what the connection says later."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            old, new = house.connect(), house.connect()
            await play(old, hello(user={"id": "x"}), KEYED, tick(0))
            await play(new, hello(consent="anonymous"), KEYED, tick(1))
            will = house.spool.checkpoints()[0].will
            assert will is not None and "oaid" not in will.target
            assert told(house) == [USER_KEYS, USER_KEYS]
            await play(new, hello(consent="none", id=1))
            assert house.kinds() == ""

    run(main)


def test_taking_plays_over_is_bounded(tmp_path: Path) -> None:
    """A connection remembers no more players than a limit, so that none of its pings can be forgotten."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            taker = house.connect()
            await play(taker, ITEM)
            dialogue = next(iter(house.server.connections)).dialogue
            dialogue.players.embed_ids |= {f"embed{number}" for number in range(MAX_EMBEDS)}
            giver = house.connect()
            await play(giver, KEYED, tick(0))
            await play(taker, KEYED)
            assert [reply["error"] for reply in taker.replies()] == ["too-many-players"]

    run(main)


# --- purges and flash -----------------------------------------------------------------------------


def test_an_ack_of_an_opt_out_means_that_it_is_done_on_flash(tmp_path: Path) -> None:
    """While flash refuses there is no ack, nothing can be claimed, and afterwards nothing is left."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, ITEM, tick(0))
            house.spool.refuses = True
            await play(player, tick(5), REMOVE)
            await play(player, hello(consent="none", id=1))
            assert player.replies() == []
            claimed, account = await house.writer.claim(10), house.writer.account()
            house.spool.refuses = False
            assert claimed == [] and is_balanced(account)
            # What was only in memory is gone at once.
            assert (account.dropped["opt_out"], account.waiting) == (1, 2)
            await settle()
            assert player.replies() == [{"ack": 1}]
            assert house.kinds() == "" and files_with(tmp_path, "9u6OHIO4") == []
            check_account(house, opt_out=3)

    run(main)


def test_minds_that_change_while_flash_refuses_cost_no_memory(tmp_path: Path) -> None:
    """Of plays, ends and purges that wait for flash only what is still to be done is kept."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, KEYED, tick(0))
            house.spool.refuses = True
            await play(player, tick(5), REMOVE)
            for number in range(50):
                await play(player, ITEM, tick(0), hello(consent="none"), hello(consent="full"))
                await play(player, KEYED | {"play": str(number)}, tick(0), REMOVE)
            n_submissions = len(house.writer._waiting.submissions)
            n_purges = len(house.writer._purges._pending)
            house.spool.refuses = False
            await play(player, hello(consent="none", id=1))
            await settle(2)
            assert player.replies() == [{"ack": 1}]
            assert (n_submissions, n_purges) == (1, 1)
            assert house.kinds() == "" and house.spool.checkpoints() == []
            assert is_balanced(house.writer.account())

    run(main)


def test_a_purge_whose_answer_was_lost_is_done_once(tmp_path: Path) -> None:
    """A batch in doubt that had reached flash: its pings are purged there and counted once."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, ITEM, tick(0))
            house.spool.loses_answer = True
            player.write(REMOVE, ITEM)
            await trio.sleep(0.1)  # The batch is on flash, and nobody knows.
            assert house.writer.status().reason
            player.write(hello(consent="none"), hello(consent="full"), ITEM | {"id": 1})
            await settle(2)
            assert player.replies() == [{"ack": 1}]
            assert house.kinds() == "e"
            check_account(house, opt_out=4)

    run(main)


def test_others_leave_while_a_purge_waits_for_flash(tmp_path: Path) -> None:
    """Flash that refuses the purge holds back what is to be purged, and nothing else."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player, other = house.connect(), house.connect()
            for _ in range(20):
                player.write(ITEM, tick(0), REMOVE)
            await settle()
            await play(other, ITEM | {"mediaid": "OtherOne"})
            house.spool.refuses = True
            await play(player, hello(consent="none"))
            claimed = await house.writer.claim(10)
            house.spool.refuses = False
            assert [ping.read(entry.target)[1]["id"] for entry in claimed] == ["OtherOne"]

    run(main)


def test_what_is_in_hand_comes_back(tmp_path: Path) -> None:
    """A purge tells which entries that were handed out must not be sent, and a claim under way loses its."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            called_back: list[bool] = []
            house.writer._on_purge = lambda is_purged: called_back.extend(map(is_purged, in_hand))
            player, other = house.connect(), house.connect()
            await play(player, ITEM, tick(0))
            await play(other, ITEM)
            in_hand = await house.writer.claim(1)
            under_way: list[Any] = []

            async def claim() -> None:
                under_way.extend(await house.writer.claim(10))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(claim)
                while not house.writer._in_hand._being_made:
                    await trio.lowlevel.checkpoint()
                ticket = house.plays.purge(Restriction.NO_PING, [ping.embed_id(in_hand[0].target)])
            await house.writer.wait_durable(ticket)
            assert [entry.kind for entry in under_way] == ["e"]
            assert ping.embed_id(under_way[0].target) != ping.embed_id(in_hand[0].target)
            assert called_back == [True]
            assert house.kinds() == "e"

    run(main)


def test_delivered_pings_count_as_delivered(tmp_path: Path) -> None:
    """What the collector had taken when the purge came is no loss."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, ITEM, tick(0))
            first, _second = await house.writer.claim(2)
            house.writer.delivered(first.id)
            await play(player, hello(consent="none", id=1))
            account = house.writer.account()
            assert (account.delivered, account.dropped["opt_out"], account.waiting) == (1, 1, 0)

    run(main)


def test_dead_letters_are_purged_too(tmp_path: Path) -> None:
    """A ping that was set aside was tried: anonymous drops it as well."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, hello(user={"id": "x"}), ITEM, tick(0))
            (first,) = await house.writer.claim(1)
            house.writer.set_aside(first.id, "400")
            await settle(3)
            assert len(house.spool.set_aside_rows()) == 1
            await play(player, hello(consent="anonymous"))
            assert house.spool.set_aside_rows() == []
            check_account(house, opt_out=1)

    run(main)


# --- restrictions, as values ----------------------------------------------------------------------

EVERYTHING = "/v1/jwplayer6/ping.gif?aid=a&e=s&emi=m&oaid=o&oiid=i&ifa=f&ifax=1&t=oaid%3D1"


@pytest.mark.parametrize(
    ("restriction", "gone"),
    [
        (Restriction.NOTHING, set()),
        (Restriction.NO_ADVERTISING, {"ifa"}),
        (Restriction.ANONYMOUS, USER_KEYS),
    ],
)
def test_a_target_loses_what_is_forbidden(restriction: Restriction, gone: Collection[str]) -> None:
    """Whole parameters by their names, everything else byte for byte as it was; twice is as once."""
    left = restriction.target(EVERYTHING)
    assert left is not None
    expected = {key: value for key, value in ping.read(EVERYTHING)[1].items() if key not in gone}
    assert ping.read(left) == ("jwplayer6", expected)
    assert restriction.target(left) == left
    assert Restriction.NO_PING.target(left) is None
    assert restriction.target("") == ""


optional_text = st.none() | st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(optional_text, optional_text, optional_text, st.sampled_from(list(Restriction)))
def test_facts_and_targets_are_restricted_alike(
    user: str | None, install: str | None, advertising: str | None, restriction: Restriction
) -> None:
    """A ping made under a restriction is the ping made before it with the restriction applied."""
    facts = Facts(
        "aid", "app", "1", Device("test"), user_hash=user, install_id=install, advertising_id=advertising
    )
    made = ping.Ping("e", Moment("boot", 1, None), "embed", "play", 1, "9u6OHIO4", "oaid=1&ifa=2", None, None)
    left = restriction.facts(facts)
    assert restriction.target(ping.target(made, facts)) == (left and ping.target(made, left))
