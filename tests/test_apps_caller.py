"""A connected player and its app: looked up when needed, once, and never for long."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

from jwpingd.apps import App, Process
from jwpingd.config import AppRule, AppSettings, Config, PlayerSettings, PrivacySettings
from jwpingd.daemon import app as naming
from jwpingd.daemon.box import Box
from jwpingd.daemon.box_device import BoxDevice
from jwpingd.daemon.caller import LOOK_UP_S, PeerCaller
from jwpingd.daemon.unknown_apps import UnknownApps
from jwpingd.events import Consent
from jwpingd.server import Claims
from jwpingd.sockets import credentials
from tests.inline import PlainDevice, run, run_inline

T = TypeVar("T")

AID = "a17e8PTFFffxLgpVuA4vVw"
WHOLE = Claims(app_id="com.example.tv", app_version="2.4.1")
PROCESS = Process(1000, "anna", cgroups=("/system.slice/tv.service",))


class Worker:
    """Where blocking work is done: inline, or not until `resume` is called.  Remembers what was done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.may_work = trio.Event()
        self.may_work.set()

    async def __call__(self, work: Callable[[], T], /) -> T:
        await self.may_work.wait()
        self.done.append(work.__name__)
        return await run_inline(work)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A connection to ourselves."""
    one, other = socket.socketpair()
    with one, other:
        yield one


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A box on which we are a unit whose file a package owns."""
    files = {
        f"proc/{os.getpid()}/cgroup": "0::/system.slice/tv.service\n",
        "usr/lib/systemd/system/tv.service": "",
        "var/lib/dpkg/info/example-tv.list": "/usr/lib/systemd/system/tv.service\n",
        "var/lib/dpkg/status": "Package: example-tv\nVersion: 2.0-1\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def caller_on(sock: socket.socket, root: Path, worker: Worker, **settings: Any) -> PeerCaller:
    box = Box(Config(analytics_id=AID, **settings), PlainDevice(), None, UnknownApps(), root)
    return PeerCaller(sock, credentials.peer(sock), lambda: box, worker)


def told(caller: PeerCaller, claims: Claims) -> tuple[str, str] | None:
    facts = caller.facts(claims)
    return (facts.app_id, facts.app_version) if facts else None


@pytest.mark.parametrize(
    ("claimed", "configured", "expected"),
    [
        ("9iG2vRc1", "AbCdEf12", "9iG2vRc1"),
        (None, "AbCdEf12", "AbCdEf12"),
        ("9iG2vRc1", None, "9iG2vRc1"),
        (None, None, "2bl4leq6"),
    ],
)
def test_the_players_config_id_goes_first(
    sock: socket.socket, claimed: str | None, configured: str | None, expected: str
) -> None:
    """`oiid` is the app's own config id, else the configured one, else the installation's."""
    config = Config(analytics_id=AID, player=PlayerSettings(config_id=configured))
    box = Box(config, PlainDevice(), "2bl4leq6", UnknownApps())
    caller = PeerCaller(sock, credentials.peer(sock), lambda: box, Worker())
    facts = caller.facts(WHOLE._replace(config_id=claimed))
    assert facts is not None and facts.install_id == expected


def test_items_of_unknown_apps_are_counted_and_told_of_once_a_user(caplog: pytest.LogCaptureFixture) -> None:
    """Each counts, also across a reload; the log has a line for each user and configuration."""
    anna, bert = Process(1, "anna"), Process(2, "bert")
    box = Box(Config(analytics_id=AID), PlainDevice(), None, UnknownApps())
    for process in (anna, bert, anna):
        box.facts(process, None, Claims())
        box.facts(process, None, WHOLE)
    assert box.unknown_apps.n_items == len(caplog.records) + 1 == 3
    box = box._replace(unknown_apps=box.unknown_apps.again())
    box.facts(anna, None, Claims())
    assert (box.unknown_apps.n_items, len(caplog.records)) == (4, 3)


def test_what_hello_says_needs_no_look_for_the_app(sock: socket.socket, root: Path) -> None:
    """With id and version from the player no database is read; what is missing is looked for once."""

    async def main() -> None:
        worker = Worker()
        async with trio.open_nursery() as nursery:
            caller = caller_on(sock, root, worker)
            nursery.start_soon(caller.run)
            await caller.prepare(WHOLE)
            assert told(caller, WHOLE) == ("com.example.tv", "2.4.1")
            assert worker.done == ["_look"]
            assert caller.status(WHOLE)["unit"] == "tv.service"
            for claims, expected in (
                (Claims(app_id="com.example.tv"), ("com.example.tv", "2.0-1")),
                (Claims(), ("tv", "2.0-1")),
            ):
                await caller.prepare(claims)
                assert told(caller, claims) == expected
            assert worker.done == ["_look", "_detect"]
            nursery.cancel_scope.cancel()

    run(main)


def test_a_slow_look_keeps_no_play_for_ever(sock: socket.socket, root: Path) -> None:
    """A play waits so long and begins without; what comes later serves the next play, looked up once."""

    async def main() -> None:
        worker = Worker()
        worker.may_work = trio.Event()
        async with trio.open_nursery() as nursery:
            caller = caller_on(sock, root, worker)
            nursery.start_soon(caller.run)
            began_s = trio.current_time()
            await caller.prepare(Claims())
            assert trio.current_time() - began_s == pytest.approx(LOOK_UP_S)
            assert told(caller, Claims()) == (f"unknown.{os.getuid()}", "0")
            worker.may_work.set()
            await caller.prepare(Claims())
            assert told(caller, Claims()) == ("tv", "2.0-1")
            assert worker.done == ["_look", "_detect"]
            nursery.cancel_scope.cancel()

    run(main)


def test_the_box_is_looked_at_in_threads_alone(sock: socket.socket, root: Path) -> None:
    """A play does not wait for ever for the first look, nor for that after a reload: /sys may hang."""

    async def main() -> None:
        worker = Worker()
        worker.may_work = trio.Event()
        config = Config(analytics_id=AID)
        box = Box(config, BoxDevice(config, root), None, UnknownApps(), root)

        def system(caller: PeerCaller) -> str | None:
            facts = caller.facts(WHOLE)
            assert facts is not None
            return facts.device.os_name.value if facts.device.os_name else None

        async with trio.open_nursery() as nursery:
            caller = PeerCaller(sock, credentials.peer(sock), lambda: box, worker)
            nursery.start_soon(caller.run)
            (root / "etc").mkdir()
            for before, now in ((None, "A"), ("A", "B")):
                (root / "etc/os-release").write_text(f"NAME={now}\nID=a\n")
                await caller.prepare(WHOLE)
                assert system(caller) == before
                worker.may_work.set()
                await caller.prepare(WHOLE)
                assert system(caller) == now
                worker.may_work = trio.Event()
                box = box._replace(device=box.device.again(config))
            nursery.cancel_scope.cancel()

    run(main)


def test_without_consent_nobody_is_looked_for(sock: socket.socket, root: Path) -> None:
    """Where no ping may be made, the app is nobody's business."""

    async def main() -> None:
        worker = Worker()
        async with trio.open_nursery() as nursery:
            caller = caller_on(sock, root, worker, privacy=PrivacySettings(consent=Consent.NONE))
            nursery.start_soon(caller.run)
            await caller.prepare(Claims())
            assert told(caller, Claims()) is None
            assert worker.done == ["_look"]
            nursery.cancel_scope.cancel()

    run(main)


def test_a_pid_that_is_anothers_by_now(sock: socket.socket, root: Path) -> None:
    """The evidence of a process that is not the one which connected is dropped."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            peer = credentials.Peer(os.getppid(), 1000, 1000)
            (root / "proc" / str(os.getpid())).rename(root / "proc" / str(peer.pid))
            box = Box(Config(analytics_id=AID), PlainDevice(), None, UnknownApps(), root)
            caller = PeerCaller(sock, peer, lambda: box, run_inline)
            nursery.start_soon(caller.run)
            await caller.prepare(Claims())
            assert caller.process.unit is None
            nursery.cancel_scope.cancel()

    run(main)


UNIT_RULE = AppRule({"unit": "tv.service"}, id="rule.id", version="3")
DETECTED = App("tv", "2", "unit")
DEFAULT = AppSettings("default.id", "1")


@pytest.mark.parametrize(
    ("claims", "rules", "detected", "default", "expected"),
    [
        (WHOLE, (UNIT_RULE,), DETECTED, DEFAULT, App("com.example.tv", "2.4.1", "hello")),
        (Claims(app_version="9"), (UNIT_RULE,), DETECTED, DEFAULT, App("rule.id", "9", "[[apps]]")),
        (Claims(app_id="x"), (UNIT_RULE,), DETECTED, DEFAULT, App("x", "3", "hello")),
        (Claims(), (UNIT_RULE,), DETECTED, DEFAULT, App("rule.id", "3", "[[apps]]")),
        (Claims(), (AppRule({"app": "tv"}, id="y"),), DETECTED, DEFAULT, App("y", "2", "[[apps]]")),
        (Claims(app_id="x"), (AppRule({"app": "tv"}, id="y"),), DETECTED, DEFAULT, App("x", "2", "hello")),
        (Claims(), (AppRule({"user": "berta"}, id="y"),), DETECTED, DEFAULT, DETECTED),
        (Claims(), (), App("tv", None, "unit"), DEFAULT, App("tv", "1", "unit")),
        (Claims(), (), None, DEFAULT, App("default.id", "1", "[app]")),
        (Claims(), (), None, AppSettings(), App("unknown.anna", None, "user")),
    ],
)
def test_the_order_of_what_is_believed(
    claims: Claims,
    rules: tuple[AppRule, ...],
    detected: App | None,
    default: AppSettings,
    expected: App,
) -> None:
    """hello, [[apps]], what was detected, [app], the user's name: for id and version each."""
    config = Config(analytics_id=AID, app=default, apps=rules)
    assert naming.app(config, PROCESS, detected, claims) == expected


@pytest.mark.parametrize(
    ("claims", "rules", "must"),
    [
        (WHOLE, (), False),
        (WHOLE, (AppRule({"app": "other"}, id="y"),), False),
        (Claims(app_id="x"), (), True),
        (Claims(app_id="x"), (UNIT_RULE,), False),
        (Claims(), (UNIT_RULE,), False),
        (Claims(), (UNIT_RULE, AppRule({"app": "other"}, id="y")), True),
        (Claims(), (AppRule({"unit": "tv.service"}, id="y"),), True),
        (Claims(), (), True),
    ],
)
def test_only_what_is_open_is_looked_for(claims: Claims, rules: tuple[AppRule, ...], must: bool) -> None:
    """Player and configuration together may leave nothing to detect."""
    config = Config(analytics_id=AID, apps=rules, app=DEFAULT)
    assert naming.must_be_detected(config, PROCESS, claims) is must
