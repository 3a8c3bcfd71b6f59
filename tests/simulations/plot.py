"""Lines over time on a logarithmic scale, as SVG: no more than the simulations need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, log10

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 300, 60, 34, 16, 40
COLOURS = ("#0b6e4f", "#c8553d", "#3d5a98")
Scale = Callable[[float], float]
LEAST = 0.01  # what the scale shows of nothing


@dataclass(frozen=True, slots=True)
class Line:
    """One value a second."""

    name: str
    values: Sequence[float]


def chart(panels: Sequence[tuple[str, Sequence[Line]]], y_label: str, x_label: str) -> str:
    """Panels below each other, each with its title and its lines."""
    body = "\n".join(
        f'<g transform="translate(0,{number * HEIGHT})">\n{_panel(title, lines, y_label, x_label)}\n</g>'
        for number, (title, lines) in enumerate(panels)
    )
    height = HEIGHT * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _panel(title: str, lines: Sequence[Line], y_label: str, x_label: str) -> str:
    length_s = max(len(line.values) for line in lines)
    top = 10 ** ceil(log10(max(max(line.values) for line in lines)))
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(second: float) -> float:
        return LEFT + inner_width * second / length_s

    def y(value: float) -> float:
        share = (log10(max(value, LEAST)) - log10(LEAST)) / (log10(top) - log10(LEAST))
        return TOP + inner_height * (1 - share)

    parts = [f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}</text>']
    parts += _axes(x, y, length_s, top, y_label, x_label)
    for idx, line in reversed(list(enumerate(lines))):  # The first lies on top.
        points = " ".join(f"{x(second):.1f},{y(value):.1f}" for second, value in _thinned(line.values))
        colour = COLOURS[idx % len(COLOURS)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.3" points="{points}"/>')
        at = WIDTH - RIGHT - 150 * (len(lines) - idx)
        parts.append(f'<text x="{at}" y="20" fill="{colour}">{escape(line.name)}</text>')
    return "\n".join(parts)


def _axes(x: Scale, y: Scale, length_s: int, top: float, y_label: str, x_label: str) -> Iterator[str]:
    value = LEAST
    while value <= top * 1.001:
        ends = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"'
        yield f'<line {ends} stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        value *= 10
    step_s = 10 ** (ceil(log10(length_s)) - 1)
    for second in range(0, length_s + 1, step_s):
        yield f'<text x="{x(second):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{second}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(x_label)}</text>'
    yield f'<text transform="translate(14,{HEIGHT - BOTTOM}) rotate(-90)">{escape(y_label)}</text>'


def _thinned(values: Sequence[float]) -> Iterator[tuple[int, float]]:
    """The highest value of each pixel: peaks must not be lost."""
    stride = max(1, len(values) // (WIDTH - LEFT - RIGHT))
    for begin in range(0, len(values), stride):
        yield begin, max(values[begin : begin + stride])
