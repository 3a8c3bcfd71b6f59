"""The collector's page in a real browser: plays, totals and violations as text in the document, live."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from jwpingd import ping
from jwpingd.collector.page import page
from jwpingd.device import Device, Fact
from tests.browser import Browser, browser, is_there
from tests.collector_plays import FACTS, good_play, made
from tests.processes import CollectorProcess, free_port, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_there() and not os.environ.get("CI"), reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


class Desk:
    """A collector and the page on it."""

    def __init__(self, window: Browser) -> None:
        self.port = free_port()
        self.collector = CollectorProcess(self.port)
        self.window = window
        window.open(f"http://127.0.0.1:{self.port}/")

    def send(self, *targets: str) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as http:
            for target in targets:
                http.get(target).raise_for_status()

    def wait_for(self, selector: str, text: str) -> None:
        wait_until(lambda: any(text in found for found in self.window.texts(selector)), f"{text} on the page")


@pytest.fixture
def desk(window: Browser) -> Iterator[Desk]:
    desk = Desk(window)
    yield desk
    desk.collector.stop()


def counts(desk: Desk) -> dict[str, str]:
    """What stands at the top: name of one → number."""
    pairs = [text.partition(" ") for text in desk.window.texts("#counts span")]
    return {name.removesuffix("s"): number for number, _, name in pairs}


def kind_of(target: str) -> str:
    return ping.read(target)[1]["e"]


def test_a_play_appears_while_it_happens(desk: Desk) -> None:
    """Pings come up in the play's timeline in their order, and the totals are those of the report."""
    targets = good_play()
    desk.send(*targets[:2])
    desk.wait_for("#counts span", "2 pings")
    assert desk.window.texts(".play .ping small") == ["e", "i"]
    desk.send(*targets[2:])
    desk.wait_for("#counts span", f"{len(targets)} pings")
    kinds: list[str] = desk.window.run(
        "return [...document.querySelectorAll('.play .ping')].map(each => each.dataset.kind)"
    )
    assert kinds == [kind_of(target) for target in targets]
    report = httpx.get(f"http://127.0.0.1:{desk.port}/report", trust_env=False).json()
    (media,) = report["media"]
    cells = desk.window.texts("#totals tbody tr td")
    assert cells[0] == media and cells[2] == "1"
    assert cells[5] == f"{report['media'][media]['minutes_watched']:.2f}"
    assert counts(desk)["violation"] == "0" and desk.window.texts("#violations li") == ["none"]


def test_a_violation_is_told_in_words_and_marked(desk: Desk) -> None:
    """A wrong ping is marked in its timeline, and what is wrong stands beside the play and in the list."""
    targets = good_play()
    start = next(target for target in targets if kind_of(target) == "s")
    desk.send(targets[0], start, start.replace("&sa=", "&sa=1"))
    desk.wait_for("#violations li.bad", "a second e=s of the same play")
    assert len(desk.window.texts(".play .ping.wrong")) == 1
    assert any("a second e=s" in text for text in desk.window.texts(".play ul.bad li"))
    assert int(counts(desk)["violation"]) >= 1


def test_a_duplicate_is_counted_and_not_drawn(desk: Desk) -> None:
    """The same ping again changes no total and no timeline."""
    targets = good_play()
    desk.send(*targets, targets[1])
    desk.wait_for("#counts span", "1 duplicate")
    assert len(desk.window.texts(".play .ping")) == len(targets)


def test_markup_in_a_title_is_text(desk: Desk) -> None:
    """Whatever a ping holds is shown as it is, and never becomes part of the page."""
    evil = "%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D'taken'%22%3E"
    desk.send(*(_titled(target, evil) for target in good_play()[:2]))
    desk.wait_for(".play b", "<img src=x")
    assert desk.window.run("return document.querySelectorAll('img').length") == 0
    assert desk.window.run("return document.title") == "jwpingd collector"


def test_a_ping_is_shown_whole_on_a_click(desk: Desk) -> None:
    """All parameters of a ping can be read."""
    desk.send(*good_play()[:1])
    desk.wait_for("#counts span", "1 ping")
    desk.window.click(".play .ping")
    (text,) = desk.window.texts(".play pre")
    assert "e = e" in text and "pli = " in text


def test_the_page_waits_for_a_collector_that_is_away(desk: Desk) -> None:
    """When the collector ends the page says so."""
    desk.wait_for("#state", "live")
    desk.collector.stop()
    desk.wait_for("#state", "does not answer")


def _titled(target: str, title: str) -> str:
    pairs: list[Any] = [
        f"t={title}" if pair.startswith("t=") else pair for pair in target.partition("?")[2].split("&")
    ]
    return f"{target.partition('?')[0]}?{'&'.join(pairs)}"


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No address of another host is in it; its policy forbids to ask any, and to run what is not its own."""
    text = page().decode()
    (policy,) = re.findall(r'Policy" content="(.*?)"', text)
    assert "://" not in text and "default-src 'none'" in policy
    assert "unsafe" not in policy and policy.count("'sha256-") == 2


def test_a_script_of_somebody_else_does_not_run(desk: Desk) -> None:
    """The browser holds to the policy: only the script whose hash it names runs."""
    desk.wait_for("#state", "live")
    desk.window.run(
        "const script = document.createElement('script');"
        "script.textContent = 'window.taken = 1'; document.body.append(script)"
    )
    assert desk.window.run("return window.taken") is None


def test_pings_that_lie_close_together_can_be_read(desk: Desk) -> None:
    """No label of a timeline covers another, and the times stand beneath it."""
    seeks = [made("vs", 1_500 + 100 * n, pw=n) for n in range(5)]
    desk.send(made("e", 0), made("s", 1_000, pw=0), *seeks, made("gab", 600_000, pw=9))
    desk.wait_for("#counts span", "8 pings")
    boxes: list[list[float]] = desk.window.run(
        "return [...document.querySelectorAll('.play .ping')].map(each => each.getBoundingClientRect())"
        ".map(box => [box.left, box.right, box.top, box.bottom])"
    )
    assert len(boxes) == 8
    for (left, right, top, bottom), other in itertools.combinations(boxes, 2):
        assert right <= other[0] or other[1] <= left or bottom <= other[2] or other[3] <= top
    assert desk.window.texts(".play .tick")[:3] == ["0:00", "1:00", "2:00"]


def test_a_play_says_what_it_is_and_whose(desk: Desk) -> None:
    """Title, live or the film's length, viewer, device and app stand above its timeline."""
    device = Device("test", model=Fact("Box 3000", "test"))
    facts = FACTS._replace(user_hash="e8fed7c5" * 5, device=device)
    desk.send(*good_play(partial(made, facts=facts)))
    live = partial(made, media="LiVeLiV1", play="play00000002", title="News", vd=0, q=0)
    desk.send(live("e", 0), live("s", 500, pw=-1), live("t", 20_500, pw=-1, ti=20))
    desk.wait_for("#counts span", f"{len(good_play()) + 3} pings")
    news, film = desk.window.texts(".play header")
    assert "News" in news and "live" in news and "open" in news and "20 s watched" in news
    assert "Elephants Dream" in film and "film of 10:53, at 7 %" in film and "over" in film
    assert desk.window.texts(".play .viewer") == ["box ab12cd34", "user e8fed7c5…"]
    assert "Box 3000" in desk.window.texts(".play .device")[1]
    assert desk.window.texts(".play .app")[0] == "com.example.tv 2.4.1"


def test_an_opened_ping_stays_open_while_others_come(desk: Desk) -> None:
    """Who reads a ping of a running play is not interrupted; a second click closes it."""
    targets = good_play()
    desk.send(targets[0])
    desk.wait_for("#counts span", "1 ping")
    desk.window.click(".play .ping")
    desk.send(*targets[1:])
    desk.wait_for("#counts span", f"{len(targets)} pings")
    (text,) = desk.window.texts(".play pre")
    assert "e = e   (event)" in text
    desk.window.click(".play .ping.shown")
    assert desk.window.texts(".play pre") == []


def test_what_is_wrong_with_a_play_as_a_whole_stands_beside_it(desk: Desk) -> None:
    """What no single ping shows, such as seconds that were counted twice."""
    desk.send(made("e", 0), made("s", 1_000, pw=0), made("gab", 3_000, pw=1, ti=500))
    desk.wait_for(".play ul.bad li", "500 s reported within 2.0 s: some were counted twice")
    assert desk.window.texts(".play .ping.wrong") == []
    desk.window.click("#only")
    assert len(desk.window.texts(".play")) == 1


def test_only_plays_with_violations(desk: Desk) -> None:
    """What is right can be left out of sight; what is said of many pings stands once."""
    desk.send(*good_play())
    live = partial(made, media="LiVeLiV1", play="play00000002", vd=0, q=0)
    desk.send(live("e", 0), *(live("t", 20_000 * n, pw=0, ti=20) for n in range(1, 5)))
    desk.wait_for(".play li", "(4 times)")
    desk.window.click("#only")
    shown = "[...document.querySelectorAll('.play')].map(each => each.dataset.play)"
    assert desk.window.run(f"return {shown}") == ["play00000002"]
