"""Every example of a client that the documentation has, against the real daemon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.c import compiled
from tests.clients.films import CLIENTS, Bench, needed, unique
from tests.processes import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow

PAGE = (CLIENTS.parent / "protocol.md").read_text()
FILM_S = 3


def example(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(code)


@contextmanager
def running(*command: object) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_players_play_through_a_restart(bench: Bench, tmp_path: Path) -> None:
    """C, Node and a shell, in real time: the daemon is killed in mid-play, and each play is whole."""
    box, collector = bench
    in_c, node, _nc = compiled(CLIENTS / "example.c", tmp_path), needed("node"), needed("nc")
    arguments = (box.player_socket, FILM_S)
    box.start()
    with (
        running(in_c, *arguments) as c,
        running(node, CLIENTS / "player.mjs", *arguments) as js,
        running("sh", CLIENTS / "player.sh", *arguments) as sh,
    ):
        time.sleep(1.2)
        box.kill()
        box.start()
        assert [player.wait(PATIENCE_S) for player in (c, js, sh)] == [0, 0, 0]
        assert c.stdout is not None
        assert c.stdout.read() == "16 events, 0 dropped, 2 connections; the daemon has them all\n"
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered")
    pings = collector.stop()
    assert [ping["violations"] for ping in pings if ping["violations"]] == []
    for media_id in ("CcCcCcC1", "NnNnNnN1", "SsSsSsS1"):
        row = collector.report["media"][media_id]
        assert (row["setups"], row["plays"], row["watched_s"]) == (1, 1, FILM_S), media_id
        own = [params["e"] for params in unique(pings) if params["id"] == media_id]
        assert Counter(own)["gab"] == 1


def test_the_pages_examples_work(bench: Bench, tmp_path: Path) -> None:
    """What the page tells developers to type is typed: Python, and mpv with its film."""
    box, collector = bench
    film = tmp_path / "film.mkv"
    source = "-f lavfi -i testsrc=duration=1:size=160x90:rate=25 -c:v mpeg4"
    subprocess.run([needed("ffmpeg"), "-nostdin", "-v", "error", *source.split(), film], check=True)
    assert needed("mpv") and needed("nc")
    box.start()
    subprocess.run([sys.executable, "-c", here(example("python client"), box.player_socket)], check=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = here(example("sh attach"), box.player_socket).replace(
        "/tmp/mpv.sock", str(tmp_path / "mpv.sock")
    )
    subprocess.run(["sh", "-ec", script], check=True, cwd=tmp_path, env=os.environ | {"PATH": path})
    wait_until(lambda: box.status()["waiting"] == 0, "everything was delivered")
    box.stop()
    pings = collector.stop()
    assert {ping["params"]["t"] for ping in pings} == {"Elephants Dream", "film.mkv"}
    played = Counter((params["t"], params["e"]) for params in unique(pings))
    assert played["Elephants Dream", "gab"] == played["film.mkv", "gab"] == 1


def here(code: str, player_socket: Path) -> str:
    """The code with the path of the test's daemon."""
    return code.replace("/run/jwpingd/player.sock", str(player_socket))
