"""The benchmarks' own arithmetic; what they measure is not tested, because a slow machine is no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import page
from tests.benchmarks.figures import Figure, Part, shown, table


@pytest.mark.parametrize(
    ("figure", "ratio", "goal", "is_met"),
    [
        (Figure("w", 10.5, "ms", 10.0, "f", most=1.05), 1.05, "≤ 1.05 ×", True),
        (Figure("w", 10.6, "ms", 10.0, "f", most=1.05), 1.06, "≤ 1.05 ×", False),
        (Figure("w", 3.0, "kB", 30.0, "f", at_most=3.0), 0.1, "≤ 3 kB", True),
        (Figure("w", 3.1, "kB", at_most=3.0), None, "≤ 3 kB", False),
        (Figure("w", 0.0, "", 0.0, "f", at_most=0), None, "≤ 0 ", True),
        (Figure("w", 60.0, "/s", 100.0, "f", at_least=0.5), 0.6, "≥ 0.5", True),
        (Figure("w", 1299.0, "/s", at_least=1300), None, "≥ 1300 /s", False),
        (Figure("w", 1.0, "ms"), None, "", None),
    ],
)
def test_a_figure_knows_whether_it_meets_its_goal(
    figure: Figure, ratio: float | None, goal: str, is_met: bool | None
) -> None:
    """A goal is a ratio to the floor or an amount; without one nothing is claimed."""
    assert figure.ratio == (None if ratio is None else pytest.approx(ratio))
    assert (figure.goal, figure.is_met) == (goal, is_met)


def test_the_table_tells_what_was_not_measured() -> None:
    """A part that was left out says why, and a miss stands out."""
    told = table([Part("One", [Figure("w", 2.0, "ms", 1.0, "f", most=1.1)]), Part("Two", skipped="no root")])
    assert "| w | 2 ms | 1 ms (f) | 2.00 × | ≤ 1.1 × | **no** |" in told
    assert "### Two\n\nNot measured: no root." in told


def test_three_digits_are_shown() -> None:
    """More would claim an exactness that is not there."""
    assert [shown(value) for value in (0.0, 0.1234, 12.34, 123.4, 417_123.0)] == [
        "0",
        "0.123",
        "12.3",
        "123",
        "417,123",
    ]


def test_the_page_keeps_what_people_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing figures replaces those of the last run, draws the plots beside them, and nothing else."""
    path = tmp_path / "performance.md"
    path.write_text(f"above\n{page.BEGIN}old\n{page.END}below\n")
    monkeypatch.setattr(page, "PAGE", path)
    plots = {"days": {"jwpingd": [(1.0, 30.0), (14.0, 33.0)]}}
    page.write([Part("One", [Figure("w", 2.0, "ms")], plots=plots)])
    page.write([Part("Two", [Figure("v", 3.0, "ms")], plots=plots)])
    written = path.read_text()
    assert written.startswith("above\n") and written.endswith("below\n")
    assert "| v | 3 ms |" in written and "old" not in written and "| w |" not in written
    assert "14 times as many for 1.10 times the cost" in written
    assert (tmp_path / "performance-days.svg").read_text().startswith("<svg")


def test_the_page_has_its_place_for_figures() -> None:
    """docs/performance.md holds the marks between which a run writes."""
    text = page.PAGE.read_text()
    assert text.count(page.BEGIN) == text.count(page.END) == 1
