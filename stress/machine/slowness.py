"""How much longer things take while others keep the cores busy."""

from __future__ import annotations

import time

_SPIN_SECONDS = 0.004


def slowness() -> float:
    """Return how many times longer than by itself a bit of computing takes now; at least 1."""
    began, spent = time.perf_counter(), time.thread_time()
    while (used := time.thread_time() - spent) < _SPIN_SECONDS:
        pass
    return max(1.0, (time.perf_counter() - began) / used)
