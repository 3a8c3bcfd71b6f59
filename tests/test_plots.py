"""Plots are documents that a browser can read, with every point in its place."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plots import Axis, curves

SVG = "{http://www.w3.org/2000/svg}"
FINITE = st.floats(1e-3, 1e9)


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=9), st.booleans(), st.booleans())
def test_every_point_is_inside_the_frame(
    points: list[tuple[float, float]], is_x_log: bool, is_y_log: bool
) -> None:
    """Whatever the values: well-formed, one circle a point, none outside."""
    root = ET.fromstring(curves("a < b", Axis("x", is_x_log), Axis("y & z", is_y_log), {"one": points}))
    circles = root.findall(f"{SVG}circle")
    assert len(circles) == len(points)
    for circle in circles:
        assert 70 <= float(circle.attrib["cx"]) <= 620
        assert 34 <= float(circle.attrib["cy"]) <= 254


def test_more_is_higher() -> None:
    """The larger value stands further up and further to the right."""
    root = ET.fromstring(curves("t", Axis("x"), Axis("y"), {"one": [(1, 1), (10, 20)]}))
    low, high = root.findall(f"{SVG}circle")
    assert float(high.attrib["cy"]) < float(low.attrib["cy"])
    assert float(high.attrib["cx"]) > float(low.attrib["cx"])


def test_nothing_is_no_plot() -> None:
    """A plot without points is a mistake of its caller."""
    with pytest.raises(ValueError):
        curves("t", Axis("x"), Axis("y"), {})
