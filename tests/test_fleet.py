"""A fleet's manners: what a collector feels of many boxes that were kept waiting together."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwpingd.retry import drain_per_s
from tests.simulations.fleet import FIXED, OURS, UNJITTERED, Result, outage, power_cut
from tests.simulations.plot import Line, chart

N_BOXES = 400  # stand for the fleet; the page's figures come from 20,000


@pytest.fixture(scope="module")
def outages() -> list[Result]:
    return [outage(policy, N_BOXES) for policy in (OURS, UNJITTERED, FIXED)]


def test_after_an_outage_the_fleet_is_no_attack(outages: list[Result]) -> None:
    """The peak after an hour's outage is a tenth of what others make, and nobody waits half an hour."""
    ours, unjittered, fixed = outages
    assert ours.peak_share < 12
    assert ours.peak_share < unjittered.peak_share / 10
    assert ours.peak_share < fixed.peak_share / 10
    assert ours.drained_s < 1800


def test_an_outage_is_not_hammered(outages: list[Result]) -> None:
    """In the second half of the outage the collector gets a tenth of its steady rate, at most a fifth."""
    ours, _, fixed = outages
    second_half = ours.load[1800:3600]
    assert sum(second_half) / len(second_half) < ours.steady / 5
    assert ours.n_wasted < fixed.n_wasted / 3


def test_after_a_power_cut_a_neighbourhood_is_no_attack() -> None:
    """Boxes, routers and cabinet come back: the peak is a fraction of what others make."""
    ours, unjittered, fixed = (power_cut(policy, N_BOXES) for policy in (OURS, UNJITTERED, FIXED))
    assert ours.peak_share < 5
    assert ours.peak_share < min(unjittered.peak_share, fixed.peak_share) / 2


@given(st.integers(0, 10**6), st.floats(0, 10**8), st.floats(0, 1000))
def test_a_drain_has_its_bounds(n_waiting: int, failing_s: float, max_per_s: float) -> None:
    """Never faster than allowed; never slower than a quarter of the time, or of an hour, makes it."""
    per_s = drain_per_s(n_waiting, failing_s, max_per_s)
    assert 0 <= per_s <= max_per_s
    if 0 < per_s < max_per_s:
        assert n_waiting / per_s <= min(failing_s / 4, 900) * 1.001 + 1


@pytest.mark.parametrize(
    ("n_waiting", "failing_s", "per_s"),
    [
        (180, 3600, 0.2),
        (3, 60, 0.2),
        (10_080, 14 * 86_400, 11.2),
        (100_000, 86_400, 20),
        (40, 8, 20),
        (1, 9e9, 0.2),
    ],
)
def test_a_backlog_takes_a_quarter_of_the_time_again(n_waiting: int, failing_s: float, per_s: float) -> None:
    """180 pings of an hour: a quarter of an hour; a few seconds' worth: at once."""
    assert drain_per_s(n_waiting, failing_s, 20) == pytest.approx(per_s)


def test_the_plot_is_xml_with_every_line() -> None:
    """What the page shows can be read by anything that reads SVG."""
    svg = ElementTree.fromstring(
        chart([("a <title>", [Line("one", [1, 50]), Line("two", [0, 2])])], "y", "x")
    )
    assert sum(1 for part in svg.iter() if part.tag.endswith("polyline")) == 2
