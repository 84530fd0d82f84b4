"""A worker process as the store knows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worker:
    """One incarnation of a worker process; its id is never given to another.

    Attributes:
        state: "starting", "idle", "busy", "stopping", or "lost" when the process is
            gone and nobody has taken its claims back yet.
        started_at: Unix seconds on the store's clock, as is `seen_at`.
    """

    id: int
    pool: str
    pid: int
    host: str
    state: str
    handled: int
    started_at: float
    seen_at: float
