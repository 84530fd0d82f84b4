"""Pools and their worker processes as the store knows them."""

from __future__ import annotations

from dataclasses import dataclass

MAX_WORKERS = 256  # of one pool


@dataclass(frozen=True, slots=True)
class Pool:
    """One run of a pool of workers; its id is never given to another.

    Attributes:
        pid: Of its supervisor.
        state: "starting", "running", "quiet" while it claims nothing, "stopping", or "lost"
            when its process is gone and nobody has struck it off yet.
        size: How many workers it wants now.
        queues: Those that it was started for; None when that was not said.
        started_at: Unix seconds on the store's clock, as is `seen_at`.
    """

    id: int
    pid: int
    host: str
    state: str
    size: int
    queues: tuple[str, ...] | None
    started_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Worker:
    """One incarnation of a worker process; its id is never given to another.

    Attributes:
        pool: The id of its pool.
        state: "starting", "idle", "busy", "quiet" while it claims nothing, "stopping", or
            "lost" when the process is gone and nobody has taken its claims back yet.
        memory: Bytes that it had resident when it said so last; None before.
        delivery, queue: The oldest that it holds, None when it holds none.
        busy_since: When it claimed that one; Unix seconds on the store's clock, as are
            `started_at` and `seen_at`.
    """

    id: int
    pool: int
    pid: int
    host: str
    state: str
    handled: int
    memory: int | None
    delivery: int | None
    queue: str | None
    busy_since: float | None
    started_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a pool or a worker.

    Attributes:
        happened_at: Unix seconds on the store's clock.
        kind: Of a worker: "started", "ready", "claimed" (at most one a second is noted),
            "lost" (a claim that was given back at its end), "stopped", "killed". Of a pool:
            "started", "stopped". Of all pools: "scaled". Of a message that came again:
            "revived" (a dead delivery of it), "routed" (it had no route before).
        detail: Why it ended, to how many workers, the state of a delivery that was lost, or
            which message.
    """

    id: int
    happened_at: float
    kind: str
    pool: int | None
    worker: int | None
    pid: int | None
    delivery: int | None
    fence: int | None
    detail: str | None
