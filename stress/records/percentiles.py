"""Percentiles of waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def quantile(ascending: Sequence[float], q: float) -> float:
    """Return the least value that a share `q` of all is not above; 0 of none."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * q))] if ascending else 0.0


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """Return p50, p99, p99.9 and max."""
    ascending = sorted(values)
    return {name: quantile(ascending, q) for name, q in _QUANTILES.items()}
