"""Waits as percentiles: of all, and over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .report import Chart

_QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def quantile(ascending: Sequence[float], q: float) -> float:
    """Return the least value that a share `q` of all is not above; 0 of none."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * q))] if ascending else 0.0


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """Return p50, p99, p99.9 and max."""
    ascending = sorted(values)
    return {name: quantile(ascending, q) for name, q in _QUANTILES.items()}


def over_time(
    title: str, samples: Sequence[tuple[float, float]], *, y: str, bound: float | None = None
) -> Chart:
    """Return a chart of percentiles for each of 40 stretches of time.

    Args:
        samples: (seconds, value) each, in any order.
    """
    lines: dict[str, list[tuple[float | str, float]]] = {name: [] for name in _QUANTILES}
    if samples:
        first = min(at for at, _ in samples)
        stretch = max((max(at for at, _ in samples) - first) / 40, 1e-9)
        cells: dict[int, list[float]] = {}
        for at, value in samples:
            cells.setdefault(int((at - first) / stretch), []).append(value)
        for cell in sorted(cells):
            for name, value in quantiles(cells[cell]).items():
                lines[name].append((cell * stretch, value))
    return Chart(title, "lines", "seconds", y, lines, bound)
