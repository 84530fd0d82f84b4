"""What a pool is told by its environment, which no process but those of a pool has."""

from __future__ import annotations

import os

_CANARY = "FENCEPOST_STRESS_CANARY"
_LEASE = "FENCEPOST_STRESS_LEASE"


def environment(lease: float, canary: str | None) -> dict[str, str]:
    """Return the environment of a pool with this lease, in seconds, and this canary."""
    return {**os.environ, _LEASE: str(lease), _CANARY: canary or ""}


def in_pool() -> bool:
    """True in a process of a pool."""
    return _LEASE in os.environ


def plant_canary() -> None:
    """Plant the pool's canary in this process, its supervisor or a worker, if it has one."""
    if name := os.environ.get(_CANARY):
        from ..harness.faults import plant  # only then: a worker starts as in production

        plant(name)


def worker_lease() -> float:
    """Return the lease of the pool that this process is a worker of."""
    return float(os.environ[_LEASE])
