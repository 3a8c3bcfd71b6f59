"""A measured figure beside its floor, and the table of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.plots import Points


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` and `floor` in `unit`; `floor` None where nothing comparable can be run.

    `most` is the goal as a ratio to the floor, `at_most` and `at_least` as an amount; None: only told.
    """

    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_is: str = ""
    most: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def goal(self) -> str:
        if self.most is not None:
            return f"≤ {self.most:g} ×"
        if self.at_most is not None:
            return f"≤ {self.at_most:g} {self.unit}"
        return (
            "" if self.at_least is None else f"≥ {self.at_least:g}{'' if self.is_ratio else f' {self.unit}'}"
        )

    @property
    def is_ratio(self) -> bool:
        """Whether `at_least` is a ratio to the floor."""
        return self.at_least is not None and self.floor is not None

    @property
    def is_met(self) -> bool | None:
        """None where there is no goal.  An amount of 0 allows half of the last digit that is shown."""
        if self.most is not None:
            return self.ratio is not None and self.ratio <= self.most
        if self.at_most is not None:
            return self.value <= self.at_most
        if self.at_least is None:
            return None
        measured = self.ratio if self.is_ratio else self.value
        return measured is not None and measured >= self.at_least


@dataclass(frozen=True, slots=True)
class Part:
    """What one kind of measurement found: name of a plot → name of a line → points.

    `skipped` is why it found nothing.
    """

    title: str
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = ()
    plots: Mapping[str, Mapping[str, Points]] = field(default_factory=dict)
    skipped: str = ""


def median(values: Sequence[float]) -> float:
    """The middle one: a single run may be off by half on a shared machine."""
    return statistics.median(values)


HEAD = "| what | measured | floor | ratio | goal | met |\n|---|--:|--:|--:|--:|:-:|"


def table(parts: Sequence[Part]) -> str:
    """All figures as Markdown, with the notes of each part below it."""
    lines = []
    for part in parts:
        lines += [f"### {part.title}", ""]
        if part.skipped:
            lines += [f"Not measured: {part.skipped}.", ""]
        if part.figures:
            lines += [HEAD, *map(_row, part.figures), ""]
        lines += [line for note in part.notes for line in (note, "")]
    return "\n".join(lines).rstrip() + "\n"


def _row(figure: Figure) -> str:
    ratio, floor = figure.ratio, figure.floor
    cells = (
        figure.what,
        f"{shown(figure.value)} {figure.unit}",
        "" if floor is None else f"{shown(floor)} {figure.unit} ({figure.floor_is})",
        "" if ratio is None else f"{ratio:.2f} ×",
        figure.goal,
        {True: "yes", False: "**no**", None: ""}[figure.is_met],
    )
    return f"| {' | '.join(cells)} |"


def shown(value: float) -> str:
    """Three digits that count."""
    if value and abs(value) < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}"
