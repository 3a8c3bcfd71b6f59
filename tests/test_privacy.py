"""The consent of the box and its ids: chosen while the daemon runs, and while it does not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from jwpingd import cli, control, identity
from jwpingd.config import Config, IdentitySettings, PrivacySettings
from jwpingd.daemon import assembly
from jwpingd.daemon.privacy import Privacy
from jwpingd.errors import OperatorError
from jwpingd.events import Consent
from jwpingd.identity import ADVERTISING_ID, INSTALL_ID, BoxConsent
from jwpingd.server import Claims
from jwpingd.sockets import listening
from tests.house import ITEM, REMOVE, House, serving, settle, tick
from tests.inline import run, run_inline
from tests.processes import (
    ANALYTICS_ID,
    BoxUnderTest,
    CollectorProcess,
    free_port,
    wait_until,
)
from tests.spool_values import entry, is_balanced, opened, put
from tests.talkative import USER_KEYS, files_with, hello, house_in, play, told

CONFIG = Config(ANALYTICS_ID, identity=IdentitySettings(advertising_id="generate"))
KEYED = ITEM | {"play": "k"}


def privacy_of(house: House, state_dir: Path, config: Config = CONFIG) -> Privacy:
    """As the daemon has it, on files of its own."""

    def make_box(level: Consent | None) -> Any:
        return assembly.box(config, state_dir, state_dir / "root", consent=level)

    return Privacy(
        make_box(None),
        identity.read_consent(state_dir),
        house.writer,
        house.plays,
        house.server,
        make_box=make_box,
        state_dir=state_dir,
        run_blocking=run_inline,
    )


async def choose(privacy: Privacy, level: str) -> dict[str, Any]:
    return await privacy.answer({"action": "choose", "level": level})


def keeping() -> Config:
    return CONFIG._replace(privacy=PrivacySettings(on_opt_out="keep"))


# --- while the daemon runs ------------------------------------------------------------------------


def test_opting_out_stops_ends_and_purges(tmp_path: Path) -> None:
    """Running plays, held plays and waiting pings of everybody are gone, also from the files; acks come."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            privacy.begin()
            gone, player = house.connect(), house.connect()
            await play(gone, KEYED | {"mediaid": "HeldItem"}, tick(0))
            gone.close()
            await play(player, hello(user={"id": "x"}), ITEM, tick(0))
            answer = await choose(privacy, "none")
            assert (answer["consent"], answer["n_purged"], answer["n_waiting"]) == ("none", 4, 0)
            assert answer["purge_waits_for"] == ""
            assert identity.read_consent(tmp_path) == BoxConsent(Consent.NONE)
            assert files_with(tmp_path, "9u6OHIO4", "HeldItem") == []
            await play(player, tick(5), REMOVE | {"id": 1})
            await settle(200)
            assert player.replies() == [{"ack": 1}] and house.kinds() == ""
            assert privacy.box.consent is Consent.NONE
            assert is_balanced(house.writer.account())

    run(main)


def test_no_player_can_ask_for_more_than_the_box_allows(tmp_path: Path) -> None:
    """The box's level and the player's: the stricter one holds."""

    async def main() -> None:
        async with serving(House(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            process: Any = _Process()
            claims = Claims(user_hash="a" * 40, consent=Consent.FULL)
            expected = {"full": {*USER_KEYS}, "anonymous": set[str](), "none": None}
            for level, keys in expected.items():
                await choose(privacy, level)
                facts = privacy.box.facts(process, None, claims)
                if facts is None:
                    assert keys is None
                    continue
                ids = {"oaid": facts.user_hash, "oiid": facts.install_id, "ifa": facts.advertising_id}
                assert keys == {key for key, value in ids.items() if value}
            await choose(privacy, "full")
            quiet = claims._replace(consent=Consent.NONE)
            assert privacy.box.facts(process, None, quiet) is None

    run(main)


class _Process:
    """Nothing is known of it."""

    uid, user, unit, exe, command = 0, "root", None, None, None
    cgroups: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


def test_opting_out_to_anonymous_strips(tmp_path: Path) -> None:
    """What waits and what plays goes on without any id."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            player = house.connect()
            await play(player, hello(user={"id": "x"}), ITEM, tick(0))
            await choose(privacy, "anonymous")
            await play(player, REMOVE)
            assert house.kinds() == "e s gab" and told(house) == [set()] * 3

    run(main)


def test_to_choose_the_same_again_changes_nothing(tmp_path: Path) -> None:
    """Neither opting in nor opting out twice purges what waits under the terms of before."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path, keeping())
            player = house.connect()
            await play(player, ITEM, tick(0))
            for level in ("full", "full", "none", "none", "full", "full"):
                answer = await choose(privacy, level)
                assert (answer["n_waiting"], answer["n_purged"]) == (2, 0)

    run(main)


def test_a_loosened_choice_revives_nothing(tmp_path: Path) -> None:
    """From none to anonymous to full: later plays are told of again, earlier ones are not."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            player = house.connect()
            await play(player, ITEM, tick(0))
            for level in ("none", "anonymous", "full"):
                await choose(privacy, level)
                await play(player, tick(1))
                assert house.kinds() == ""
            await play(player, ITEM)
            assert house.kinds() == "e"

    run(main)


def test_what_was_chosen_holds_for_what_the_last_run_left(tmp_path: Path) -> None:
    """A kill between the choice and the purge: the next start purges, wills and held plays too."""

    async def main() -> None:
        house = house_in(tmp_path)
        async with serving(house):
            player = house.connect()
            await play(player, ITEM, tick(0), KEYED | {"player": "b"}, tick(0) | {"player": "b"})
            assert len(house.spool.checkpoints()) == 2
            identity.store_consent(tmp_path, Consent.NONE)
            left = house.spool.checkpoints()
            house.writer.submit((), checkpoints=left)
            privacy = privacy_of(house, tmp_path)
            house.plays.recover(left, house.clock.now())
            privacy.begin()
            await settle(200)
            assert house.kinds() == "" and house.spool.checkpoints() == []
            assert is_balanced(house.writer.account())

    run(main)


@pytest.mark.parametrize("way_out", ["none", "full"])
def test_a_choice_that_cannot_be_read_destroys_nothing(tmp_path: Path, way_out: str) -> None:
    """No new ping is made; what waits is neither sent nor purged before somebody chooses again."""

    async def main() -> None:
        (tmp_path / "consent").write_bytes(b"\0\0\0\0")
        async with serving(house_in(tmp_path)) as house:
            player = house.connect()
            await play(player, ITEM, tick(0))
            privacy = privacy_of(house, tmp_path)
            privacy.begin()
            assert privacy.box.consent is Consent.NONE
            assert privacy.as_json()["fault"]
            with trio.move_on_after(60) as scope:
                await privacy.wait_known()
            assert scope.cancelled_caught and house.kinds() == "e s"
            answer = await choose(privacy, way_out)
            assert (answer["consent"], answer["fault"]) == (way_out, "")
            await privacy.wait_known()
            assert house.kinds() == ("" if way_out == "none" else "e s")

    run(main)


def test_a_choice_that_cannot_be_stored_is_told(tmp_path: Path) -> None:
    """A stricter one holds all the same until the daemon ends; a looser one does not hold."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            player = house.connect()
            await play(player, ITEM, tick(0))
            (tmp_path / "consent.new").mkdir()
            with pytest.raises(OperatorError, match=r"cannot be written .*: what was chosen is lost when"):
                await choose(privacy, "none")
            await settle()
            assert privacy.box.consent is Consent.NONE and house.kinds() == ""
            with pytest.raises(OperatorError, match=r"cannot be written .*: nothing has changed"):
                await choose(privacy, "full")
            assert privacy.box.consent is Consent.NONE
            (tmp_path / "consent.new").rmdir()
            await choose(privacy, "none")
            assert identity.read_consent(tmp_path) == BoxConsent(Consent.NONE)

    run(main)


def test_an_operator_is_told_what_a_purge_waits_for(tmp_path: Path) -> None:
    """Flash that refuses does not keep the answer; it says that pings are still there."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            player = house.connect()
            await play(player, ITEM, tick(0))
            house.spool.refuses = True
            first = await choose(privacy, "none")
            house.spool.refuses = False
            await settle(2)
            second = await choose(privacy, "none")
            assert first["purge_waits_for"] == "flash refuses" and second["purge_waits_for"] == ""
            assert house.kinds() == ""

    run(main)


def test_reset_makes_new_ids_for_later_plays(tmp_path: Path) -> None:
    """Both ids are others afterwards, and stay those."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            before = await privacy.answer({"action": "show"})
            after = await privacy.answer({"action": "reset"})
            for key in ("install_id", "advertising_id"):
                assert before[key] and after[key] and before[key] != after[key]
                assert getattr(privacy_of(house, tmp_path).box, key) == after[key]

    run(main)


def test_no_id_is_made_of_a_box_that_is_opted_out(tmp_path: Path) -> None:
    """Ids come into being when they may be told."""

    async def main() -> None:
        identity.store_consent(tmp_path, Consent.ANONYMOUS)
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            assert privacy.box.install_id is None and privacy.box.advertising_id is None
            answer = await choose(privacy, "full")
            assert answer["install_id"] and answer["advertising_id"]

    run(main)


def test_nonsense_is_refused(tmp_path: Path) -> None:
    """A command of another release is told that this daemon cannot do it."""

    async def main() -> None:
        async with serving(house_in(tmp_path)) as house:
            privacy = privacy_of(house, tmp_path)
            for request in ({}, {"action": "forget"}, {"action": "choose", "level": []}):
                with pytest.raises(OperatorError):
                    await privacy.answer(request)

    run(main)


# --- while no daemon runs -------------------------------------------------------------------------


@pytest.fixture
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories of our own, as systemd would set them; the state directory."""
    for name, place in (("STATE", "state"), ("RUNTIME", "run"), ("CONFIGURATION", "etc")):
        monkeypatch.setenv(f"{name}_DIRECTORY", str(tmp_path / place))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/config.toml").write_text(f'analytics_id = "{ANALYTICS_ID}"\n')
    return tmp_path / "state"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Runs `jwpingd identity … --json`, which must end with `status`, and gives its answer."""

    def ask(*arguments: str, status: int = 0) -> dict[str, Any]:
        assert cli.main(["identity", *arguments, "--json"]) == status
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    return ask


Ask = Callable[..., dict[str, Any]]


def test_to_look_makes_nothing(directories: Path, command: Ask) -> None:
    """`show` before a first start tells that there is nothing, and leaves nothing."""
    answer = command("show")
    assert (answer["consent"], answer["install_id"], answer["advertising_id"]) == ("full", None, None)
    assert not directories.exists()


def test_opting_out_needs_no_daemon(directories: Path, command: Ask) -> None:
    """The choice is stored and what waits is purged from the files, in one command, any number of times."""
    spool = opened(directories)
    put(spool, entry(1), entry(2))
    spool.close()
    for _ in range(2):
        assert command("opt-out")["consent"] == "none"
        assert files_with(directories.parent, "play00000001") == []
    spool = opened(directories)
    assert spool.account().dropped["opt_out"] == 2 and is_balanced(spool.account())
    spool.close()
    assert command("opt-in")["consent"] == "full"
    assert command("opt-out", "--anonymous")["consent"] == "anonymous"


def test_what_is_kept_stays_without_a_daemon_too(directories: Path, command: Ask) -> None:
    """privacy.on_opt_out = keep is heeded."""
    spool = opened(directories)
    put(spool, entry(1))
    spool.close()
    assert command("opt-out", "--set", "privacy.on_opt_out=keep")["consent"] == "none"
    assert files_with(directories.parent, "play00000001") == ["spool.db"]


def test_a_mistake_in_the_configuration_keeps_nobody_from_opting_out(directories: Path, command: Ask) -> None:
    """The choice is stored; whether to purge nobody can know, so that is left to the daemon, and told."""
    spool = opened(directories)
    put(spool, entry(1))
    spool.close()
    answer = command("opt-out", "--set", "uplink.concurency=2", status=1)
    assert answer["consent"] == "none" and "jwpingd check" in answer["purge_waits_for"]
    assert identity.read_consent(directories).level is Consent.NONE


def test_reset_forgets_the_ids(directories: Path, command: Ask) -> None:
    """Ids that were reset are made anew at the next start."""
    directories.mkdir()
    machine_id = identity.machine_id()
    made = [kind.read_or_make(directories, machine_id) for kind in (INSTALL_ID, ADVERTISING_ID)]
    assert [command("show")[key] for key in ("install_id", "advertising_id")] == made
    assert [command("reset")[key] for key in ("install_id", "advertising_id")] == [None, None]


def test_a_daemon_that_does_not_answer_is_not_worked_around(
    directories: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While somebody holds the state directory nothing is changed behind their back."""
    lock = listening.lock(directories)
    try:
        assert cli.main(["identity", "opt-out"]) == 1
    finally:
        os.close(lock)
    assert "another jwpingd" in capsys.readouterr().err
    assert identity.read_consent(directories).level is Consent.FULL


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the owner of a directory")
def test_root_leaves_files_that_the_daemon_can_read(directories: Path) -> None:
    """What root has done belongs to the owner of the state directory, who may read nothing of root's."""
    with tempfile.TemporaryDirectory() as others_may_pass_here:
        os.chmod(others_may_pass_here, 0o755)
        state_dir = Path(others_may_pass_here, "state")
        spool = opened(state_dir)
        put(spool, entry(1))
        spool.close()
        for path in (state_dir, *state_dir.iterdir()):
            os.chown(path, 65534, 65534)
            path.chmod(0o700 if path.is_dir() else 0o600)
        # A process of its own: it has nothing imported yet that it could not import as somebody else.
        for action in ("reset", "opt-out"):
            command = [sys.executable, "-m", "jwpingd", "identity", action]
            subprocess.run(command, env={**os.environ, "STATE_DIRECTORY": str(state_dir)}, check=True)
        assert identity.read_consent(state_dir) == BoxConsent(Consent.NONE)
        assert not [path for path in state_dir.iterdir() if b"play00000001" in path.read_bytes()]
        found = [path.stat() for path in state_dir.iterdir()]
        assert {(status.st_uid, status.st_mode & 0o077) for status in found} == {(65534, 0)}


def test_what_does_not_go_together_is_told(directories: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--anonymous says how to opt out, nothing else."""
    assert cli.main(["identity", "opt-in", "--anonymous"]) == 2
    assert "opt-out only" in capsys.readouterr().err
    assert not directories.exists()


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [(None, 0, "nobody opted out"), ("none", 0, "opt-in ends that"), ("junk", 1, "choose again")],
)
def test_check_tells_the_consent(
    directories: Path, capsys: pytest.CaptureFixture[str], content: str | None, status: int, said: str
) -> None:
    """Opted out is a warning, a choice that cannot be read a failure with its way out."""
    directories.mkdir(mode=0o700)
    if content is not None:
        (directories / "consent").write_text(content)
    assert cli.main(["check", "--offline"]) == status
    assert said in capsys.readouterr().out
    assert cli.main(["identity", "show"]) == 0
    assert (content == "junk") == ("choose again" in capsys.readouterr().out)


# --- real processes -------------------------------------------------------------------------------


@pytest.fixture
def box(tmp_path: Path) -> Iterator[BoxUnderTest]:
    """A box whose collector is down, unless a test starts one."""
    under_test = BoxUnderTest(tmp_path, free_port(), "uplink.retry_first_s=0.05", "uplink.retry_max_s=0.1")
    yield under_test
    if under_test.process is not None and under_test.process.poll() is None:
        under_test.kill()


def ask(box: BoxUnderTest, **request: str) -> dict[str, Any]:
    return control.ask(box.directory / "run/control.sock", "identity", 20.0, **request)


@pytest.mark.slow
def test_an_opt_out_cancels_what_is_in_flight_and_survives_a_kill(box: BoxUnderTest) -> None:
    """Once it is answered nothing is left, asked for, or made, and a kill -9 changes none of that."""
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        port = black_hole.getsockname()[1]
        box.settings += ["uplink.timeout_s=300", f"collector_url=http://127.0.0.1:{port}"]
        box.start()
        player = box.connect()
        player.send_and_wait(ITEM, tick(0))
        wait_until(lambda: box.status()["uplink"]["n_in_flight"] > 0, "a request is on its way")
        assert files_with(box.directory, "9u6OHIO4") != []
        answer = ask(box, action="choose", level="none")
        assert (answer["n_purged"], answer["n_waiting"], answer["purge_waits_for"]) == (2, 0, "")
        assert files_with(box.directory, "9u6OHIO4") == []
        wait_until(lambda: box.status()["uplink"]["n_in_flight"] == 0, "the request was given up")
        player.send_and_wait(tick(5), ITEM, tick(0))
        box.kill()
        player.close()
        box.start()
        player = box.connect()
        player.send_and_wait(ITEM, tick(0))
        player.close()
        status = box.status()
        assert status["consent"] == {"level": "none", "fault": ""}
        assert (status["accepted"], status["waiting"]) == (2, 0)
        box.stop()


@pytest.mark.slow
def test_an_unreadable_choice_holds_everything_back(box: BoxUnderTest) -> None:
    """With a collector at hand nothing is sent or made before the operator chooses; then it is."""
    box.start()
    player = box.connect()
    player.send_and_wait(ITEM, tick(0))
    player.close()
    wait_until(lambda: box.status()["waiting"] == 3, "the gab waits too")
    box.kill()
    (box.directory / "state/consent").write_bytes(b"")
    collector = CollectorProcess(box.port)
    box.start()
    player = box.connect()
    player.send_and_wait(ITEM, tick(0))
    status = box.status()
    assert status["waiting"] == 3 and "consent" in status["consent"]["fault"]
    assert status["uplink"]["last_error"] == "not started yet"
    assert box.log.read_text().count("treating the box as opted out") == 1
    ask(box, action="choose", level="full")
    wait_until(lambda: box.status()["delivered"] == 3, "what waited was delivered")
    player.close()
    box.stop()
    assert sorted(made["params"]["e"] for made in collector.stop()) == ["e", "gab", "s"]
