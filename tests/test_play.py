"""`jwpingd play` and the films it plays."""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.cli import play, viewing
from jwpingd.errors import OperatorError
from jwpingd.film import Ad, Interlude, Jump, Pause, at_s, events, length_s
from jwpingd.replay import Replayed, replay

FILM = ("9u6OHIO4", "Elephants Dream")


# --- films ----------------------------------------------------------------------------------


def pings(film: list[dict[str, object]]) -> list[dict[str, str]]:
    """The pings a film makes, by the program's own session."""
    made = list(replay([json.dumps(event).encode() for event in film]))
    assert all(isinstance(each, Replayed) for each in made), made
    return [dict(each.parameters) for each in made if isinstance(each, Replayed)]


def test_a_film_is_a_ticking_play_from_item_to_complete() -> None:
    """Item, ticks every quarter of a second up to the very end, complete."""
    film = events(*FILM, 2.1, startup_s=1.0)
    assert [event["event"] for event in film] == ["playlistItem", *["time"] * 10, "complete"]
    assert [event.get("position") for event in film[1:-1]] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.1]
    assert (at_s(film[1]), at_s(film[-1]), length_s(film)) == (1.0, 3.1, 3.1)


def test_interludes_happen_at_their_positions_once() -> None:
    """Ads, pauses and jumps take their time where they belong; one beyond the end never comes."""
    interludes: list[Interlude] = [Pause(1, 7), Ad(0, 5), Jump(2, 0.5, 0.5), Ad(99)]
    film = events(*FILM, 3, startup_s=0, tick_s=0.5, interludes=interludes)
    shown = [(event["at"], event["event"]) for event in film if event["event"] != "time"]
    assert shown == [
        (0.0, "playlistItem"),
        (0.0, "adImpression"),
        (6.0, "pause"),
        (13.0, "play"),
        (14.0, "seek"),
        (14.5, "seeked"),
        (17.0, "complete"),
    ]


def test_what_a_film_makes_of_a_play() -> None:
    """A film with an ad and a jump makes the pings of one clean play; the jump takes the place of a tick."""
    made = pings(events(*FILM, 60, interludes=[Ad(0), Jump(24, 42)]))
    assert [each["e"] for each in made if each["e"] != "t"] == ["e", "i", "s", "vs", "gab"]
    assert sum(int(each.get("ti", 0)) for each in made) == 41  # 23.75 + 18 s
    assert made[-1]["pw"] == "128"


def test_a_film_at_double_speed_is_watched_whole() -> None:
    """At twice the speed all its seconds count, in half the time."""
    film = events(*FILM, 60, rate=2, startup_s=0)
    assert length_s(film) == 30
    assert sum(int(each.get("ti", 0)) for each in pings(film)) == 60


def test_a_live_film_names_no_duration_and_is_closed() -> None:
    """Live: no duration anywhere, 20 s a ping, remove at the end."""
    film = events(*FILM, 45, is_live=True)
    assert film[-1]["event"] == "remove" and not any("duration" in event for event in film)
    assert [(each["e"], each.get("pw")) for each in pings(film)] == [
        ("e", None),
        ("s", "-1"),
        ("t", "-1"),
        ("t", "-1"),
        ("gab", "-1"),
    ]


@given(
    st.floats(0.01, 60),
    st.floats(0.05, 5),
    st.floats(0.1, 2),
    st.lists(
        st.one_of(
            st.builds(Ad, st.floats(0, 70), st.floats(0, 9)),
            st.builds(Pause, st.floats(0, 70), st.floats(0, 9)),
            st.builds(Jump, st.floats(0, 70), st.floats(0, 70), st.floats(0, 9)),
        ),
        max_size=5,
    ),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_time_never_runs_back(
    duration_s: float, tick_s: float, rate: float, interludes: list[Interlude]
) -> None:
    """Whatever happens in a film, `at` never falls, positions stay within it, and it ends at its end."""
    film = events(*FILM, duration_s, tick_s=tick_s, rate=rate, interludes=interludes)
    times = [at_s(event) for event in film]
    assert times == sorted(times)
    positions = [event["position"] for event in film if event["event"] == "time"]
    assert all(isinstance(each, float) and 0 <= each <= round(duration_s, 3) for each in positions)
    assert (positions[-1], film[-1]["event"]) == (round(duration_s * 1000) / 1000, "complete")


@pytest.mark.parametrize(
    "mistake", [{"tick_s": 0.0}, {"rate": 0.0}, {"startup_s": -1.0}, {"tick_s": float("nan")}]
)
def test_times_that_make_no_film_are_refused(mistake: dict[str, float]) -> None:
    """A film needs a duration, a rate and ticks above 0."""
    with pytest.raises(ValueError, match="a film needs"):
        events(*FILM, 10, **mistake)  # type: ignore[arg-type]  # mypy takes the dict for every keyword.
    with pytest.raises(ValueError, match="a film needs"):
        events(*FILM, 0)


# --- the command ----------------------------------------------------------------------------


class Listener:
    """A socket that takes one player, remembers its lines and answers the last of them."""

    def __init__(self, path: Path, replies: list[bytes], *, is_hanging_up: bool) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        self._replies = replies
        self._is_hanging_up = is_hanging_up
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()

    def run(self) -> None:
        with self._socket, self._socket.accept()[0] as connection, connection.makefile("rb") as lines:
            if self._is_hanging_up:
                connection.sendall(b"".join(self._replies))
                return
            for line in lines:
                self.lines.append(json.loads(line))
                if "id" in self.lines[-1]:
                    connection.sendall(b"".join(self._replies))
                    return


@contextmanager
def listening(tmp_path: Path, *replies: bytes, is_hanging_up: bool = False) -> Iterator[Listener]:
    listener = Listener(tmp_path / "player.sock", list(replies), is_hanging_up=is_hanging_up)
    thread = threading.Thread(target=listener.run)
    thread.start()
    yield listener
    thread.join(10)
    assert not thread.is_alive()


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    play.add_arguments(parser)
    return parser.parse_args(arguments)


ACK = b'{"ack":"last"}\n'


def test_held_back_events_are_dated_up_to_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--held-back: every line at once, hello first, `at` ascending on CLOCK_BOOTTIME up to now."""
    with listening(tmp_path, ACK) as listener:
        status = play.run(
            parsed("--socket", str(listener.path), "--held-back", "--duration", "5", "--key", "k")
        )
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    times = [line["at"] for line in listener.lines]
    assert times == sorted(times) and now_s - 5 < times[-1] <= now_s
    assert times[-1] - times[0] == pytest.approx(5.5, abs=0.002)
    assert [line["event"] for line in listener.lines[:2]] == ["hello", "playlistItem"]
    assert (listener.lines[1]["play"], listener.lines[-1]["id"], status) == ("k", "last", 0)
    assert f"wrote {len(times)} events; the daemon acknowledged" in capsys.readouterr().out


@pytest.mark.slow
def test_a_film_plays_in_real_time_undated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --held-back: lines come when they are due, without `at`; what happens is told."""
    film = events(*FILM, 0.3, tick_s=0.1)
    before_s = time.monotonic()
    with listening(tmp_path, ACK) as listener:
        assert play.run(parsed("--socket", str(listener.path), "--duration", "0.3", "--tick", "0.1")) == 0
    assert time.monotonic() - before_s >= length_s(film)
    assert [line["event"] for line in listener.lines] == ["hello", *(event["event"] for event in film)]
    assert not any("at" in line for line in listener.lines)
    assert "complete" in capsys.readouterr().out


def test_the_options_reach_the_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """App, user, consent, feed, speed and interludes are written in the protocol's words."""
    arguments = (
        "--held-back --duration 8 --json --app com.example.tv --app-version 2 --user 4711 --consent full"
    )
    more = "--feed ON53iLoH --speed 2 --ads --seek --pause"
    with listening(tmp_path, ACK) as listener:
        assert play.run(parsed("--socket", str(listener.path), *arguments.split(), *more.split())) == 0
    hello, item, rate, *_rest = listener.lines
    assert hello["app"] == {"id": "com.example.tv", "version": "2"}
    assert (hello["user"], hello["consent"], hello["protocol"]) == ({"id": "4711"}, "full", 1)
    assert (item["feedid"], rate["playbackRate"]) == ("ON53iLoH", 2)
    names = [line["event"] for line in listener.lines if line["event"] != "time"]
    assert names[3:] == ["adImpression", "pause", "play", "seek", "seeked", "adImpression", "complete"]
    told = json.loads(capsys.readouterr().out)
    assert told.items() >= {"written": len(listener.lines), "acknowledged": True, "errors": []}.items()


def test_refused_events_are_told_and_make_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error reply is shown; refusing the last event is no acknowledgement."""
    error = b'{"error":"bad-event","message":"no such media","line":2}\n'
    last = b'{"error":"bad-event","message":"no","line":9,"id":"last"}\n'
    for replies, words in (((error, ACK), "no such media"), ((last,), "the daemon refused the last")):
        with listening(tmp_path, *replies) as listener:
            assert play.run(parsed("--socket", str(listener.path), "--held-back", "--duration", "1")) == 1
        assert words in capsys.readouterr().out
        listener.path.unlink()


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ((), "closed the connection before it acknowledged the last event; see its log"),
        ((b'{"error":"not-allowed","message":"not you"}\n',), "not-allowed: not you"),
        ((b"5\n",), "this is no player socket of jwpingd"),
        ((b"HTTP/1.1 400\n",), "this is no player socket of jwpingd"),
    ],
)
def test_an_end_without_acknowledgement_is_explained(
    tmp_path: Path, replies: tuple[bytes, ...], words: str
) -> None:
    """Where the daemon closes or talks nonsense, the error says which."""
    with listening(tmp_path, *replies) as listener, pytest.raises(OperatorError, match=words):
        play.run(parsed("--socket", str(listener.path), "--held-back", "--duration", "1"))


@pytest.mark.slow
def test_a_daemon_that_hangs_up_is_quoted(tmp_path: Path) -> None:
    """A refused connection ends the play in its midst, with the daemon's reason."""
    full = b'{"error":"too-many-connections","message":"64 are open"}\n'
    with (
        listening(tmp_path, full, is_hanging_up=True) as listener,
        pytest.raises(OperatorError, match="too-many-connections: 64 are open"),
    ):
        play.run(parsed("--socket", str(listener.path), "--duration", "60", "--tick", "0.05"))


def test_a_withheld_acknowledgement_times_out(tmp_path: Path) -> None:
    """No answer within --timeout: the error names where to look."""
    # A listener's backlog takes the connection and its lines, and never answers.
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "player.sock"))
        silent.listen()
        with pytest.raises(OperatorError, match="jwpingd status"):
            play.run(
                parsed(
                    "--socket",
                    str(tmp_path / "player.sock"),
                    "--held-back",
                    "--duration",
                    "1",
                    "--timeout",
                    "0.05",
                )
            )


def test_no_socket_is_explained(tmp_path: Path) -> None:
    """A socket that is absent, dead, or no socket's name: the error names it and the way out."""
    absent, dead = tmp_path / "absent.sock", tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(dead))
    for path, words in (
        (absent, "start the daemon"),
        (dead, "start the daemon"),
        (tmp_path / ("x" * 99 + "y" * 99), "--socket"),
    ):
        with pytest.raises(OperatorError, match=words):
            play.run(parsed("--socket", str(path), "--held-back"))


def test_the_default_socket_is_the_daemons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --socket: player.sock in the runtime directory."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    with listening(tmp_path, ACK) as listener:
        assert play.run(parsed("--held-back", "--duration", "1")) == 0
    assert listener.lines


def test_a_long_film_is_held_back_at_double_speed_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too long to be held back is played at twice the speed; if that is too long, it is refused."""
    monkeypatch.setattr(viewing, "_HELD_BACK_MAX_S", 12.0)
    with listening(tmp_path, ACK) as listener:
        assert play.run(parsed("--socket", str(listener.path), "--held-back", "--duration", "20")) == 0
    assert [line["playbackRate"] for line in listener.lines if "playbackRate" in line] == [2.0]
    with pytest.raises(OperatorError, match="choose a shorter --duration"):
        play.run(parsed("--held-back", "--duration", "30"))


@pytest.mark.parametrize(
    "mistake", ["--media=abc", "--speed=3", "--speed=x", "--duration=0", "--duration=nan", "--tick=-1"]
)
def test_mistaken_arguments_are_usage_errors(mistake: str) -> None:
    """Ids, speeds and times out of their range are named."""
    with pytest.raises(argparse.ArgumentError):
        parsed(mistake)
