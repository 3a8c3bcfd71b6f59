"""Curves as SVG, in the few lines that they need: no library to install, and text that a diff can show.

Colours are readable on white and on black; the page behind shows through.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 300  # pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 34, 46
_COLOURS = ("#1f77b4", "#d9730d", "#2ca02c", "#c43c7c", "#8c6bb1", "#777777")
_N_TICKS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """`label` names quantity and unit.  A logarithmic one shows powers of ten; others start at 0."""

    label: str
    is_log: bool = False


def curves(title: str, x: Axis, y: Axis, series: Mapping[str, Points]) -> str:
    """An SVG document with one line for each of `series`, by name.  Raises ValueError without any point."""
    points = [point for line in series.values() for point in line]
    across = _Scale(x, [point[0] for point in points], _LEFT, _WIDTH - _RIGHT)
    up = _Scale(y, [point[1] for point in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [*_frame(title, across, up)]
    for idx, (name, line) in enumerate(series.items()):
        colour = _COLOURS[idx % len(_COLOURS)]
        places = [(across.at(px), up.at(py)) for px, py in line]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.5" fill="{colour}"/>' for px, py in places]
        parts.append(_text(_WIDTH - _RIGHT, _TOP + 14 * (idx + 1), name, "end", colour))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
    )


class _Scale:
    """Values of one axis to pixels."""

    def __init__(self, axis: Axis, values: Sequence[float], first_px: float, last_px: float) -> None:
        self.axis = axis
        self._first_px, self._last_px = first_px, last_px
        if axis.is_log:
            self.ticks = _powers_of_ten(min(values), max(values))
        else:
            self.ticks = _round_steps(min(0.0, min(values)), max(values))
        self._low, self._high = self._linear(self.ticks[0]), self._linear(self.ticks[-1])

    def at(self, value: float) -> float:
        """The pixel."""
        share = (self._linear(value) - self._low) / (self._high - self._low)
        return self._first_px + share * (self._last_px - self._first_px)

    def _linear(self, value: float) -> float:
        return math.log10(value) if self.axis.is_log else value


def _powers_of_ten(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _round_steps(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that reach around both."""
    span = (high - low) or abs(high) or 1.0
    rough = span / _N_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
    first, last = math.floor(low / step), math.ceil((low + span) / step)
    return [step * n for n in range(first, last + 1)]


def _frame(title: str, across: _Scale, up: _Scale) -> list[str]:
    """Title, axes, ticks and their labels."""
    bottom, middle = _HEIGHT - _BOTTOM, (_LEFT + _WIDTH - _RIGHT) / 2
    parts = [_text(middle, 18, title, "middle", weight="bold")]
    for tick in up.ticks:
        y = up.at(tick)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#888888" stroke-opacity="0.3"/>')
        parts.append(_text(_LEFT - 6, y + 4, f"{tick:,.6g}", "end"))
    for tick in across.ticks:
        parts.append(_text(across.at(tick), bottom + 16, f"{tick:,.6g}", "middle"))
    parts.append(_text(middle, _HEIGHT - 8, across.axis.label, "middle"))
    parts.append(f'<g transform="translate(14 {_HEIGHT / 2}) rotate(-90)">')
    parts.append(f"{_text(0, 0, up.axis.label, 'middle')}</g>")
    return parts


def _text(
    x: float, y: float, text: str, anchor: str, colour: str = "#888888", *, weight: str = "normal"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-weight="{weight}">{escape(text)}</text>'
