"""The README's ping is one that a LibreELEC box sends, end to end."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from jwpingd import ping
from jwpingd.clock import Clock
from jwpingd.collector import Collector, Weather, bind, serve
from jwpingd.collector.intake import Received
from jwpingd.config import Config, PlayerSettings
from jwpingd.daemon import Daemon, assembly
from jwpingd.sockets import listening
from jwpingd.sockets.door import Door
from tests.boxes import TREES
from tests.processes import ANALYTICS_ID, PATIENCE_S, PlayerConnection

pytestmark = pytest.mark.slow

README = (Path(__file__).parent.parent / "README.md").read_text()
BY_CHANCE = {"emi", "pli", "oiid", "sa"}
"""Random ids and the time: of those only the form can be compared."""

SETTINGS = PlayerSettings(partner_id=7, ping_spec_version="1.0.0")
HELLO: dict[str, Any] = {
    "event": "hello",
    "app": {"id": "com.example.tv", "version": "2.4.1"},
    "player": {"version": "1.22"},
    "user": {"id": "4711"},
    "advertising": {"id": "8f2d1c3a-5b6e-4f70-9a81-b2c3d4e5f607", "limit": False},
}
ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream", "feedid": "ON53iLoH"}


def play(socket: Path) -> None:
    """A player that has held back the first 21 seconds of a film; returns when they are on flash."""
    start_s = time.clock_gettime(time.CLOCK_BOOTTIME) - 30
    ticks = [
        {"event": "time", "position": second, "duration": 653.8, "at": start_s + second}
        for second in range(22)
    ]
    player = PlayerConnection(socket)
    player.send_and_wait(HELLO, ITEM | {"at": start_s}, *ticks)
    player.close()


async def targets_sent_by(root: Path, state_dir: Path, *changes: Callable[[], object]) -> list[str]:
    """The target of the `t` of each play on a box with these files: one, and one after each change."""
    listener = bind("127.0.0.1", 0)
    arrive, arrived = trio.open_memory_channel[str](10)

    def take(received: Received) -> None:
        if received.parameters["e"] == "t":
            arrive.send_nowait(received.target)

    config = Config(
        ANALYTICS_ID, collector_url=f"http://127.0.0.1:{listener.getsockname()[1]}", player=SETTINGS
    )
    daemon = Daemon(
        config,
        state_dir,
        read_config=lambda: config,
        clock=Clock(trust="always"),
        box=assembly.box(config, state_dir, root),
    )
    players = listening.bind(state_dir / "player.sock", mode=0o600, group=None)
    operators = listening.bind(state_dir / "control.sock", mode=0o600, group=None)
    with closing(players), closing(operators), trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, [listener], Collector(on_ping=take), Weather()))
            nursery.start_soon(daemon.run, Door(players), Door(operators))
            targets = []
            for change in (lambda: None, *changes):
                change()
                await trio.to_thread.run_sync(play, state_dir / "player.sock")
                targets.append(await arrived.receive())
            daemon.stop()
            nursery.cancel_scope.cancel()
    return targets


def readmes_url() -> str:
    """The URL, which the page breaks into lines."""
    block = re.search(r"```\n(https://ihe\.jwpltx\.com/.*?)```", README, re.DOTALL)
    assert block is not None
    return "".join(block[1].split())


def test_the_readmes_ping_is_what_a_libreelec_box_sends(tmp_path: Path) -> None:
    """Same path, same parameters in the same order, same values but for random ids and the time."""
    (target,) = trio.run(targets_sent_by, TREES / "libreelec-rpi4/root", tmp_path)
    url = urlsplit(readmes_url())
    bucket, sent = ping.read(target)
    assert ping.read(f"{url.path}?{url.query}")[0] == bucket
    _, shown = ping.read(f"{url.path}?{url.query}")
    assert list(shown) == list(sent)
    assert {key: value for key, value in shown.items() if key not in BY_CHANCE} == {
        key: value for key, value in sent.items() if key not in BY_CHANCE
    }
    assert ping.violations(bucket, shown) == ping.violations(bucket, sent) == []


def test_the_next_play_tells_the_language_that_the_viewer_has_chosen(tmp_path: Path) -> None:
    """Kodi's language is changed while the daemon runs: a play before tells the old one, the next the new."""
    root, state_dir = tmp_path / "root", tmp_path / "state"
    shutil.copytree(TREES / "libreelec-rpi4/root", root, symlinks=True)
    state_dir.mkdir()
    settings = root / "storage/.kodi/userdata/guisettings.xml"
    swedish = settings.read_text().replace("resource.language.de_de", "resource.language.sv_se")
    targets = trio.run(targets_sent_by, root, state_dir, partial(settings.write_text, swedish))
    assert [ping.read(target)[1]["olng"] for target in targets] == ["de-de", "sv-se"]


def test_the_readme_explains_every_parameter() -> None:
    """Each key of the URL has its row, with the value it has there; nothing else has one."""
    url = urlsplit(readmes_url())
    _, shown = ping.read(f"{url.path}?{url.query}")
    section = README[README.index(readmes_url()[:40]) :].partition("\n#")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \| \S", section, re.MULTILINE))
    assert rows == shown
    assert shown.keys() == {key.key for key in ping.KEYS}
