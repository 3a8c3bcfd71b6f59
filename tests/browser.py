"""A real headless Chromium, driven over WebDriver (W3C) by plain HTTP."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

OPTIONS = [
    "--headless",
    "--window-size=1000,800",
    "--no-sandbox",  # root may not use it, and the pages are ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Browser:
    """One window."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self._http, self._session = http, session

    def open(self, url: str) -> None:
        """Load a page."""
        self._http.post(f"{self._session}/url", json={"url": url}).raise_for_status()

    def run(self, script: str) -> Any:
        """What the script returns in the page."""
        answer = self._http.post(f"{self._session}/execute/sync", json={"script": script, "args": []})
        assert answer.is_success, answer.text
        return answer.json()["value"]

    def texts(self, selector: str) -> list[str]:
        """The text of every element that the selector finds, in order."""
        found: list[str] = self.run(
            f"return [...document.querySelectorAll({selector!r})].map(each => each.textContent)"
        )
        return found

    def click(self, selector: str) -> None:
        """Click on the first element that the selector finds."""
        self.run(f"document.querySelector({selector!r}).click()")


def is_there() -> bool:
    """Whether the machine has the browser and its driver."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile, closed at the end."""
    with subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            said = next((line for line in driver.stdout if "started successfully on port" in line), "")
            port = said.rstrip(".\n").rpartition(" ")[2]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
                options = {"args": [*OPTIONS, f"--user-data-dir={profile}"]}
                wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
                answer = http.post("/session", json=wanted)
                assert answer.is_success, answer.text
                session = f"/session/{answer.json()['value']['sessionId']}"
                yield Browser(http, session)
                http.delete(session)
        finally:
            driver.terminate()
