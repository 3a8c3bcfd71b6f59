"""A real mpv plays a real film, and what the collector gets is right to the second."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.films import unique
from tests.processes import BoxUnderTest, CollectorProcess, free_port, wait_until
from tests.real_player.mpv import COMMAND, PATIENCE_S, Mpv, now_ms

FILM_S = 40.0  # 4 quantiles, thresholds every 10 s
SA_TOLERANCE_MS = 1000


@dataclass(frozen=True)
class Bench:
    """What a film is played on: the collector, the box with its daemon, the film itself."""

    collector: CollectorProcess
    box: BoxUnderTest
    film: Path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    missing = [name for name in ("mpv", "ffmpeg") if shutil.which(name) is None]
    if missing:
        message = f"not installed: {', '.join(missing)}"
        # In CI a test that silently never runs would be worse than one that fails.
        pytest.fail(message) if "CI" in os.environ else pytest.skip(message)
    directory = tmp_path_factory.mktemp("mpv")
    film = _make_film(directory / "film.mkv")
    port = free_port()
    collector = CollectorProcess(port)
    box = BoxUnderTest(directory, port)
    try:
        box.start()
        yield Bench(collector, box, film)
        box.stop()
    finally:
        if box.process is not None:
            box.process.kill()
        collector.stop()


@pytest.mark.slow
def test_a_film_with_a_pause_and_a_seek(bench: Bench, tmp_path: Path) -> None:
    """Every watched second is reported once, no paused or skipped one is, and each ping tells its moment."""
    with playing(bench, tmp_path, "film0001") as mpv:
        loaded_ms, started_ms = mpv.load(bench.film, start_s=9.0)
        first_threshold_ms = mpv.wait_for_position(10.0)
        mpv.wait_for_position(10.3)
        mpv.ask(["set_property", "pause", True])
        paused_at_s = mpv.ask(["get_property", "time-pos"])
        mpv.watch(seconds=1.5)
        assert mpv.position_s == paused_at_s
        mpv.ask(["set_property", "pause", False])
        mpv.wait_for_position(11.0)
        left_at_s = mpv.ask(["get_property", "time-pos"], ["seek", 28.6, "absolute+exact"])
        landed_ms = mpv.wait_for("playback-restart")
        second_threshold_ms = mpv.wait_for_position(30.0)
        mpv.wait_for_position(30.5)
        quit_ms, quit_at_s = now_ms(), mpv.ask(["get_property", "time-pos"], ["quit"])

    pings = pings_of(bench, "film0001")
    assert [(ping["e"], ping.get("pw")) for ping in pings[:-1]] == [
        ("e", None), ("s", "0"), ("t", "32"), ("vs", "32"), ("t", "96"),
    ]  # fmt: skip
    assert pings[-1]["e"] == "gab"
    assert 128 * (quit_at_s - 0.5) / FILM_S - 1 < int(pings[-1]["pw"]) <= 128 * (quit_at_s + 0.1) / FILM_S
    assert_watched(pings, (left_at_s - 9.0) + (quit_at_s - 28.6))
    # A vs comes when 1 s has passed without another seek.
    assert_moments(
        pings, [loaded_ms, started_ms, first_threshold_ms, landed_ms + 1000, second_threshold_ms, quit_ms]
    )


@pytest.mark.slow
def test_a_film_played_to_its_end(bench: Bench, tmp_path: Path) -> None:
    """The end passes the last threshold, though mpv's last position lies a frame before the duration."""
    with playing(bench, tmp_path, "film0002") as mpv:
        loaded_ms, started_ms = mpv.load(bench.film, start_s=38.2)
        ended_ms = mpv.wait_for("end-file")

    pings = pings_of(bench, "film0002")
    assert [(ping["e"], ping.get("pw")) for ping in pings] == [
        ("e", None), ("s", "0"), ("t", "128"), ("gab", "128"),
    ]  # fmt: skip
    assert_watched(pings, FILM_S - 38.2)
    assert_moments(pings, [loaded_ms, started_ms, ended_ms, ended_ms])


@pytest.mark.slow
def test_mpv_and_the_daemon_may_go_and_come_back(bench: Bench, tmp_path: Path) -> None:
    """Attached before there is an mpv; the daemon dies in mid-play, then mpv; each play is whole."""
    ipc = os.fspath(tmp_path / "mpv.sock")
    films = [tmp_path / "film0003.mkv", tmp_path / "film0004.mkv"]
    attach = [sys.executable, "-m", "jwpingd", "attach", "mpv", "--ipc", ipc]
    with running([*attach, "--socket", os.fspath(bench.box.player_socket)]) as forwarder:
        assert forwarder.stdout is not None
        assert forwarder.stdout.readline().startswith(f"waiting for mpv at {ipc} (No such file".encode())
        for film in films:
            film.symlink_to(bench.film)
            player = subprocess.Popen([*COMMAND, f"--input-ipc-server={ipc}"])
            mpv = Mpv(ipc)
            mpv.load(film, start_s=1.0)
            mpv.wait_for_position(1.6)
            if film is films[0]:
                bench.box.kill()
                mpv.wait_for_position(2.2)
                bench.box.start()
            mpv.wait_for_position(3.0)
            player.kill()
            player.wait()
            mpv.close()
        forwarder.terminate()
        told = forwarder.stdout.read().decode()
    for film in films:
        pings = pings_of(bench, film.stem)
        assert [ping["e"] for ping in pings] == ["e", "s", "gab"]
        assert_watched(pings, 2.0)
    for words in ("attached to mpv", "playing film0003 'film0003.mkv'", "no daemon", "the daemon is there"):
        assert words in told


@contextmanager
def playing(bench: Bench, directory: Path, media_id: str) -> Iterator[Mpv]:
    """An mpv, and the forwarder that tells the daemon about it.  Both have ended well at the end."""
    ipc = os.fspath(directory / "mpv.sock")
    attach = [sys.executable, "-m", "jwpingd", "attach", "mpv", "--once", "--ipc", ipc]
    attach += ["--socket", os.fspath(bench.box.player_socket)]
    with running([*COMMAND, f"--input-ipc-server={ipc}"]):
        mpv = Mpv(ipc)
        with running([*attach, "--media-id", media_id, "--title", "A film"]) as forwarder:
            assert forwarder.stdout is not None
            assert forwarder.stdout.readline() == f"attached to mpv at {ipc}\n".encode()
            yield mpv
        mpv.close()


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has to end by itself, with status 0."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


def pings_of(bench: Bench, media_id: str) -> list[dict[str, str]]:
    """All pings of the play in the order of their moments, once its gab has arrived and none is waiting."""

    def arrived() -> list[dict[str, Any]]:
        return [ping for ping in bench.collector.pings if ping["params"].get("id") == media_id]

    wait_until(lambda: any(ping["params"]["e"] == "gab" for ping in arrived()), "the gab arrives", PATIENCE_S)
    wait_until(lambda: bench.box.status()["waiting"] == 0, "nothing waits", PATIENCE_S)
    assert [ping["violations"] for ping in arrived()] == [[]] * len(arrived())
    pings = unique(arrived())
    assert len({(ping["emi"], ping["pli"], ping["pss"], ping["t"]) for ping in pings}) == 1
    assert {(ping["vd"], ping["q"]) for ping in pings if "vd" in ping} == {("40", "4")}
    return sorted(pings, key=lambda ping: (int(ping["sa"]), ping["e"] == "gab"))


def assert_watched(pings: list[dict[str, str]], watched_s: float) -> None:
    """All `ti` together are the whole seconds of `watched_s`, give or take a few frames at each cut."""
    reported_s = sum(int(ping.get("ti", "0")) for ping in pings)
    assert watched_s - 1.5 < reported_s < watched_s + 0.3, (reported_s, watched_s)


def assert_moments(pings: list[dict[str, str]], expected_ms: list[int]) -> None:
    late_ms = [int(ping["sa"]) - at_ms for ping, at_ms in zip(pings, expected_ms, strict=True)]
    assert all(abs(each) < SA_TOLERANCE_MS for each in late_ms), late_ms


def _make_film(path: Path) -> Path:
    sources = f"-f lavfi -i testsrc=duration={FILM_S}:size=160x90:rate=25 -f lavfi -i sine=duration={FILM_S}"
    codecs = "-c:v mpeg4 -g 25 -c:a pcm_s16le"
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *sources.split(), *codecs.split(), path], check=True)
    return path
