"""A chart as SVG: lines over a number, or bars by label."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from ..records.report import Chart

_WIDTH, _HEIGHT = 640, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 44
_COLORS = 5  # as many as the page has, --c0 and on
# A y axis whose values span more than this is logarithmic.
_LOG_FROM = 100.0
_MOST_LABELS = 16


def svg(chart: Chart) -> str:
    """Return a chart as an SVG element; its colours are the page's variables --c0 to --c4."""
    ys = [y for points in chart.lines.values() for _, y in points]
    if not ys:
        return '<p class="empty">nothing was measured</p>'
    scale = _Scale([*ys, *([] if chart.bound is None else [chart.bound])], chart.kind)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(chart.title)}">',
        *_y_axis(scale, chart.y),
        *(_lines(chart, scale) if chart.kind == "lines" else _bars(chart, scale)),
    ]
    if chart.bound is not None:
        y = scale.at(chart.bound)
        parts.append(
            f'<line class="bound" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        words = f"bound {_short(chart.bound)}"
        parts.append(_text(_WIDTH - _RIGHT, y + 13, words, "note", "end"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, chart.x, "note", "middle"))
    return "\n".join([*parts, "</svg>"])


def legend(chart: Chart) -> str:
    """Return the names of a chart's lines in their colours, as HTML; nothing for a single one."""
    if len(chart.lines) < 2:
        return ""
    return " ".join(
        f'<span class="key"><i style="background:var(--c{number % _COLORS})"></i>{escape(name)}</span>'
        for number, name in enumerate(chart.lines)
    )


class _Scale:
    """Where a value of y is drawn, and which values get a line across."""

    def __init__(self, values: list[float], kind: str) -> None:
        most = max(values)
        positive = [value for value in values if value > 0]
        least = min(positive, default=1.0)
        self.log = kind == "lines" and most / least > _LOG_FROM
        if self.log:
            self._low = math.floor(math.log10(max(least, most / 1e5)))
            self._high = math.ceil(math.log10(most) * 20) / 20
            self.ticks = [10.0**power for power in range(self._low, math.floor(self._high) + 1)]
        else:
            step = _step(most / 4)
            self._low = 0
            self._high = max(step, math.ceil(most / step) * step)
            self.ticks = [step * i for i in range(round(self._high / step) + 1)]

    def at(self, value: float) -> float:
        """Return the height of a value, in the picture's own units."""
        if self.log:
            value = math.log10(max(value, 10.0**self._low))
        share = (value - self._low) / ((self._high - self._low) or 1)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _y_axis(scale: _Scale, unit: str) -> Iterable[str]:
    for tick in scale.ticks:
        y = scale.at(tick)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 6, y + 4, _short(tick), "tick", "end")
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    yield (
        f'<text class="note" text-anchor="middle" transform="translate(12 {middle:.0f})'
        f' rotate(-90)">{escape(unit)}</text>'
    )


def _lines(chart: Chart, scale: _Scale) -> Iterable[str]:
    xs = [float(x) for points in chart.lines.values() for x, _ in points]
    last, step = max(xs), _step((max(xs) - min(xs)) / 6)
    first = min(xs)
    span = (last - first) or 1.0

    def across(x: float) -> float:
        return _LEFT + (x - first) / span * (_WIDTH - _LEFT - _RIGHT)

    tick = math.ceil(first / step) * step
    while tick <= last:
        yield _text(across(tick), _HEIGHT - _BOTTOM + 16, _short(tick), "tick", "middle")
        tick += step
    for number, (name, points) in enumerate(chart.lines.items()):
        if not points:
            continue
        path = " ".join(f"{across(float(x)):.1f},{scale.at(y):.1f}" for x, y in points)
        color = f"var(--c{number % _COLORS})"
        yield f'<polyline fill="none" stroke="{color}" points="{path}"><title>{escape(name)}</title></polyline>'


def _bars(chart: Chart, scale: _Scale) -> Iterable[str]:
    labels = list(dict.fromkeys(str(x) for points in chart.lines.values() for x, _ in points))
    room = (_WIDTH - _LEFT - _RIGHT) / len(labels)
    width = room * 0.8 / len(chart.lines)
    every = math.ceil(len(labels) / _MOST_LABELS)
    for place, label in enumerate(labels):
        if place % every == 0:
            x = _LEFT + (place + 0.5) * room
            yield _text(x, _HEIGHT - _BOTTOM + 16, label, "tick", "middle")
    bottom = _HEIGHT - _BOTTOM
    for number, (name, points) in enumerate(chart.lines.items()):
        color = f"var(--c{number % _COLORS})"
        for at, y in points:
            label = str(at)
            x = _LEFT + (labels.index(label) + 0.1) * room + number * width
            top = scale.at(y)
            yield (
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(1.0, width - 1):.1f}"'
                f' height="{max(0.0, bottom - top):.1f}" rx="1.5" fill="{color}">'
                f"<title>{escape(f'{name}, {label}: {_short(y)}')}</title></rect>"
            )


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def _step(rough: float) -> float:
    """Return the round number next above: 1, 2 or 5 times a power of ten."""
    if rough <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * by for by in (1, 2, 5, 10) if power * by >= rough)


def _short(value: float) -> str:
    """Return a number in a few characters: 0.05, 12, 3.4k, 1.2M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= size * 10 or (abs(value) >= size and value % size == 0):
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
