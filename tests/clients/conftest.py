"""What the clients' tests stand on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import PATIENCE_S, BoxUnderTest, CollectorProcess, free_port

FAST = ("uplink.max_per_s=0", "uplink.retry_first_s=0.05", "uplink.retry_max_s=0.2")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[BoxUnderTest, CollectorProcess]]:
    """A box whose daemon is not started yet, and its collector.  Nothing of them is left behind."""
    box = BoxUnderTest(tmp_path, free_port(), *FAST)
    collector = CollectorProcess(box.port)
    try:
        yield box, collector
    finally:
        collector.stop()
        if box.process is not None:
            box.process.kill()
            box.process.wait()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A daemon's end of the socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE_S)
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        yield sock
