"""What a collector feels of a million boxes that were kept waiting together, by policy of retrying.

    python -m tests.simulations.fleet [--boxes 20000] [--svg docs/fleet.svg]

Each box that is simulated stands for many.  Its backoff is `jwpingd.uplink.link` and `jwpingd.retry`
themselves; the two policies it is compared with are the same code with other arguments: without jitter
(every random fraction is 1), and with one fixed interval.  They drain as fast as `uplink.max_per_s`
lets them, as ours did before this simulation.

Two stories, in which every box plays a film and so makes a ping every 20 s:

- *outage*: the collector answers nobody for an hour, then all.
- *power cut*: a tenth of the fleet, a neighbourhood, is without power for ten minutes.  Boxes boot, then
  the routers, then at one moment the street's cabinet; until then no box reaches anybody.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jwpingd.retry import drain_per_s
from jwpingd.uplink.link import Link
from tests.simulations.plot import Line, chart

N_FLEET = 1_000_000
PING_EVERY_S = 20.0
OUTAGE_S = 3600.0
MAX_PER_S = 20.0  # uplink.max_per_s
CUT_SHARE, BOOT_S, BOOT_SPREAD_S = 0.1, 20.0, 4.0
ROUTER_S, ROUTER_SPREAD_S, CABINET_S = 60.0, 6.0, 180.0


@dataclass(frozen=True, slots=True)
class Policy:
    """`first_s` and `max_s` as in the configuration; `is_spread`: a long outage makes a slow drain."""

    name: str
    first_s: float
    max_s: float
    has_jitter: bool
    is_spread: bool

    def fraction(self, fate: random.Random) -> Callable[[], float]:
        """Where a real box draws a random number."""
        return fate.random if self.has_jitter else lambda: 1.0

    def per_s(self, n_waiting: int, failing_s: float) -> float:
        """How fast a box gets rid of its backlog."""
        return drain_per_s(n_waiting, failing_s, MAX_PER_S) if self.is_spread else MAX_PER_S


OURS = Policy("jwpingd", 1.0, 300.0, has_jitter=True, is_spread=True)
UNJITTERED = Policy("backoff without jitter", 1.0, 300.0, has_jitter=False, is_spread=False)
FIXED = Policy("every 30 s", 30.0, 30.0, has_jitter=False, is_spread=False)
POLICIES = (OURS, UNJITTERED, FIXED)


@dataclass(frozen=True, slots=True)
class Result:
    """`load` is requests a second, by second since the trouble began; `steady` without any trouble.

    `drained_s`: seconds from its end until the last ping that had waited arrived.
    """

    policy: Policy
    load: list[float]
    steady: float
    drained_s: float
    n_wasted: float

    @property
    def peak_share(self) -> float:
        """Peak ÷ steady rate."""
        return max(self.load) / self.steady


class Box:
    """One box that cannot deliver since `since_s`, until it is let in at `open_s`."""

    def __init__(self, policy: Policy, fate: random.Random, since_s: float) -> None:
        self._policy = policy
        self._fraction = policy.fraction(fate)
        self._link = Link(first_s=policy.first_s, max_s=policy.max_s)
        self._since_s = since_s
        self._now_s = since_s

    def probes(self, until_s: float) -> Iterator[float]:
        """Every try that fails before `until_s`, the first at once."""
        while self._now_s < until_s:
            yield self._now_s
            self._link.unreachable(self._link.start(), self._now_s, self._fraction())
            self._now_s = self._link.start_at()

    def network_changed(self, now_s: float) -> None:
        """Its router is back."""
        self._now_s = self._link.network_changed(now_s, self._fraction())

    def drain(self, n_older: int) -> Iterator[float]:
        """When what has waited arrives, once a try is let in: the probe itself, then the others."""
        n_waiting = n_older + int((self._now_s - self._since_s) / PING_EVERY_S) + 1
        failing_s = max(self._now_s - min(self._link.failing_since_s, self._now_s), 0.0)
        per_s = self._policy.per_s(n_waiting, failing_s)
        for number in range(n_waiting):
            yield self._now_s + number / per_s

    @property
    def back_s(self) -> float:
        """When it got through."""
        return self._now_s


def outage(policy: Policy, n_boxes: int, seed: int = 1) -> Result:
    """The collector is away for `OUTAGE_S`; its failures count as requests that it was asked in vain."""
    fate, weight = random.Random(seed), N_FLEET / n_boxes
    load, n_wasted, last_s = [0.0] * int(2 * OUTAGE_S), 0, 0.0
    for _ in range(n_boxes):
        since_s = fate.uniform(0, PING_EVERY_S)
        box = Box(policy, fate, since_s)
        for at_s in box.probes(OUTAGE_S):
            load[int(at_s)] += weight
            n_wasted += 1
        last_s = max(last_s, _arrive(load, box, n_older=0, weight=weight))
    return Result(policy, load, N_FLEET / PING_EVERY_S, last_s - OUTAGE_S, n_wasted * weight)


def power_cut(policy: Policy, n_boxes: int, seed: int = 1) -> Result:
    """A neighbourhood comes back; what its boxes try before the cabinet does reaches nobody."""
    n_hit = int(N_FLEET * CUT_SHARE)
    fate, weight = random.Random(seed), n_hit / n_boxes
    load, n_wasted, last_s = [0.0] * 900, 0, 0.0
    for _ in range(n_boxes):
        box = Box(policy, fate, max(1.0, fate.gauss(BOOT_S, BOOT_SPREAD_S)))
        router_s = max(box.back_s, fate.gauss(ROUTER_S, ROUTER_SPREAD_S))
        n_wasted += sum(1 for _ in box.probes(router_s))
        box.network_changed(router_s)
        n_wasted += sum(1 for _ in box.probes(CABINET_S))
        last_s = max(last_s, _arrive(load, box, n_older=1, weight=weight))
    return Result(policy, load, n_hit / PING_EVERY_S, last_s - CABINET_S, n_wasted * weight)


def _arrive(load: list[float], box: Box, *, n_older: int, weight: float) -> float:
    """Put what waited, and what the box makes from then on, into the load; when the last of it arrived."""
    last_s = 0.0
    for last_s in box.drain(n_older):
        load[min(int(last_s), len(load) - 1)] += weight
    first = int(box.back_s) + 1
    for second in range(first, len(load)):
        load[second] += weight / PING_EVERY_S
    return last_s


def table(results: list[Result]) -> str:
    """The three numbers of each, for a page."""
    rows = ["| policy | peak ÷ steady rate | drained after | requests in vain |", "|---|---|---|---|"]
    rows += [
        f"| {result.policy.name} | {result.peak_share:.1f} | {result.drained_s:.0f} s "
        f"| {result.n_wasted / 1e6:.1f} million |"
        for result in results
    ]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--boxes", type=int, default=20_000, help="how many stand for the fleet")
    parser.add_argument("--svg", type=Path, help="where to put the plot")
    arguments = parser.parse_args()
    panels = []
    for title, story in (
        ("An hour's outage of the collector", outage),
        ("A neighbourhood's power cut", power_cut),
    ):
        results = [story(policy, arguments.boxes) for policy in POLICIES]
        print(f"{title}\n\n{table(results)}\n")
        lines = [Line(of.policy.name, [rate / of.steady for rate in of.load]) for of in results]
        panels.append((title, lines))
    if arguments.svg:
        arguments.svg.write_text(chart(panels, "requests a second ÷ steady rate", "seconds"))


if __name__ == "__main__":
    main()
