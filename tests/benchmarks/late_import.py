"""How late a player is answered while httpx comes into memory for the first ping."""

from __future__ import annotations

import socket
import time

from tests.benchmarks.bench import Bench, ask, connected
from tests.benchmarks.figures import Figure, Part, median
from tests.benchmarks.viewing import item

INTERVAL_S = 0.002
N_BEFORE, N_WHILE = 100, 200
QUESTION = b'{"event":"hello","id":1}\n'


def measure(bench: Bench) -> Part:
    """The latest of many answers, before the first ping and while it is prepared and sent."""
    rounds = [_latest_ms(bench) for _ in range(1 if bench.is_quick else 5)]
    before, meanwhile = (median(each) for each in zip(*rounds, strict=True))
    figures = [
        Figure("latest answer during the import", meanwhile, "ms", at_most=10),
        Figure("latest answer before it", before, "ms"),
    ]
    return Part("Late import of httpx and TLS", figures)


def _latest_ms(bench: Bench) -> tuple[float, float]:
    box = bench.fresh("late")
    with (
        bench.collector(is_tls=True) as collector,
        bench.daemon(box, collector.url),
        connected(box) as asking,
        connected(box) as playing,
    ):
        before_s = [_answer_s(asking) for _ in range(N_BEFORE)]
        playing.sendall(item())
        while_s = [_answer_s(asking) for _ in range(N_WHILE)]
    return max(before_s) * 1000, max(while_s) * 1000


def _answer_s(asking: socket.socket) -> float:
    time.sleep(INTERVAL_S)
    began_s = time.perf_counter()
    ask(asking, QUESTION)
    return time.perf_counter() - began_s
