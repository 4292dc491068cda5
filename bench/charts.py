"""Plain charts as SVG: bars and lines, readable without colour, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 64, 36, 56, 40
TONES = ("#1f5f8b", "#c8553d", "#5b8c5a", "#8d6a9f", "#7a7a7a", "#c9a227")
_DASHES = ("", "6 4", "2 3", "9 3 2 3", "1 4", "12 4")
_STYLE = "font-family:system-ui,sans-serif;font-size:13px;fill:#222"


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[tuple[float, float]]


def bars(
    title: str, rows: Sequence[tuple[str, float, float, float]], unit: str, *, mark: tuple[str, float] | None = None
) -> str:
    """Horizontal bars: name, median, least, most; ``mark`` is a vertical line with a name."""
    left, step = 270, 34
    height = TOP + step * len(rows) + 24
    top = max([row[3] for row in rows] + ([mark[1]] if mark else []) or [1]) * 1.12 or 1
    width = WIDTH - left - 90

    def x(value: float) -> float:
        return left + value / top * width

    parts = []
    for number, (name, middle, least, most) in enumerate(rows):
        y = TOP + step * number
        parts += [
            f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{left}" y="{y + 3}" width="{x(middle) - left:.1f}" height="18" fill="{TONES[0]}"/>',
            f'<path d="M{x(least):.1f} {y + 12}H{x(most):.1f}M{x(least):.1f} {y + 7}v10" stroke="#222" fill="none"/>',
            f'<path d="M{x(most):.1f} {y + 7}v10" stroke="#222"/>',
            f'<text x="{max(x(most), x(middle)) + 8:.1f}" y="{y + 16}">{_number(middle)} {escape(unit)}</text>',
        ]
    if mark is not None:
        parts += [
            f'<path d="M{x(mark[1]):.1f} {TOP - 4}V{height - 20}" stroke="#222" stroke-dasharray="4 3"/>',
            f'<text x="{x(mark[1]):.1f}" y="{height - 6}" text-anchor="middle">{escape(mark[0])}</text>',
        ]
    return _svg(title, height, parts)


def stacked(title: str, rows: Sequence[tuple[str, Sequence[tuple[str, float]]]], unit: str) -> str:
    """Bars made of named parts, in one order."""
    names = list(dict.fromkeys(name for _, parts in rows for name, _ in parts))
    left, step = 120, 40
    height = TOP + step * len(rows) + 24 + 20 * ceil(len(names) / 3)
    top = max(sum(value for _, value in parts) for _, parts in rows) * 1.15 or 1
    width = WIDTH - left - 90
    out = []
    for number, (label, parts) in enumerate(rows):
        y, at = TOP + step * number, float(left)
        out.append(f'<text x="{left - 8}" y="{y + 18}" text-anchor="end">{escape(label)}</text>')
        for name, value in parts:
            wide = value / top * width
            out.append(
                f'<rect x="{at:.1f}" y="{y + 3}" width="{wide:.1f}" height="22" fill="{TONES[names.index(name) % 6]}"'
                ' stroke="#fff"/>'
            )
            at += wide
        out.append(f'<text x="{at + 8:.1f}" y="{y + 18}">{_number(sum(v for _, v in parts))} {escape(unit)}</text>')
    for number, name in enumerate(names):
        x, y = 12 + number % 3 * 250, TOP + step * len(rows) + 12 + number // 3 * 20
        out += [
            f'<rect x="{x}" y="{y}" width="12" height="12" fill="{TONES[number % 6]}"/>',
            f'<text x="{x + 18}" y="{y + 11}">{escape(name)}</text>',
        ]
    return _svg(title, height, out)


def lines(
    title: str,
    series: Sequence[Line],
    *,
    x_name: str,
    y_name: str,
    log_x: bool = False,
    limit: tuple[str, float] | None = None,
) -> str:
    """Lines over one axis; ``limit`` is a horizontal line with a name."""
    height = 330 + 20 * ceil(len(series) / 3)
    low, bottom = 330 - BOTTOM, TOP
    xs = [_scaled(x, log_x) for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points] + ([limit[1]] if limit else [])
    first, last = min(xs, default=0.0), max(xs, default=1.0)
    ticks = _ticks(max(ys, default=1.0))
    top = ticks[-1] or 1

    def place(x: float, y: float) -> tuple[float, float]:
        across = (_scaled(x, log_x) - first) / ((last - first) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), low - y / top * (low - bottom)

    out = []
    for tick in ticks:
        _, y = place(last, tick)
        out += [
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>',
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>',
        ]
    shown = sorted({x for line in series for x, _ in line.points})
    if len(shown) > 8:
        step = (shown[-1] - shown[0]) / 6
        shown = [shown[0] + step * number for number in range(7)]
    for x in shown:
        at, _ = place(x, 0)
        out.append(f'<text x="{at:.1f}" y="{low + 18}" text-anchor="middle">{_number(x)}</text>')
    if limit is not None:
        _, y = place(shown[0], limit[1])
        out += [
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#222" stroke-dasharray="4 3"/>',
            f'<text x="{WIDTH - RIGHT}" y="{y - 5:.1f}" text-anchor="end">{escape(limit[0])}</text>',
        ]
    for number, line in enumerate(series):
        tone, dash = TONES[number % 6], _DASHES[number % 6]
        points = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in line.points)
        out.append(
            f'<polyline points="{points}" fill="none" stroke="{tone}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        if len(line.points) <= 8:
            out += [
                '<circle cx="{:.1f}" cy="{:.1f}" r="3.5" fill="{}"/>'.format(*place(*point), tone)
                for point in line.points
            ]
        x, y = LEFT + number % 3 * 230, 330 + number // 3 * 20
        out += [
            f'<path d="M{x} {y}h26" stroke="{tone}" stroke-width="2" stroke-dasharray="{dash}"/>',
            f'<text x="{x + 32}" y="{y + 4}">{escape(line.name)}</text>',
        ]
    out += [
        f'<text x="{LEFT}" y="{TOP - 14}">{escape(y_name)}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{low + 34}" text-anchor="end">{escape(x_name)}</text>',
    ]
    return _svg(title, height, out)


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img"'
        f' aria-label="{escape(title)}" style="{_STYLE}">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="12" y="20" style="font-weight:600">{escape(title)}</text>\n{body}\n</svg>\n'
    )


def _scaled(x: float, log: bool) -> float:
    return log10(x) if log and x > 0 else x


def _ticks(most: float) -> list[float]:
    if most <= 0:
        return [0.0, 1.0]
    raw = most / 5
    unit = 10 ** floor(log10(raw))
    step = next(unit * each for each in (1, 2, 2.5, 5, 10) if unit * each >= raw)
    return [step * number for number in range(ceil(most / step) + 1)]


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"
