"""Pools, workers and their events."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

MAX_WORKERS = 256  # of one pool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a worker was with what it had claimed, by the fences of the claims.

    A handler that is named nowhere here was running.

    Attributes:
        known: The greatest fence that the worker had noted: newer claims were not begun.
        unbegun: The handler had not been called.
        done: It had returned, without a result.
        ended: It had ended otherwise, and the store was not told.
    """

    known: int = 0
    unbegun: AbstractSet[int] = frozenset()
    done: AbstractSet[int] = frozenset()
    ended: AbstractSet[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Pool:
    """One run of a pool. Its id is never used again.

    Attributes:
        pid: The pid of its supervisor.
        state: "starting", "running", "quiet" (it claims nothing), "stopping", or "lost" (its
            process is gone, and no other pool has cleaned up after it yet).
        size: The number of workers that it should have now.
        queues: The queues that it was started for; None if that is not known.
        started_at: Unix seconds on the store's clock.
        seen_at: When it last reported, in the same seconds.
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
    """One worker process. Its id is never used again.

    Attributes:
        pool: The id of its pool.
        state: "starting", "idle", "busy", "quiet" (it claims nothing), "stopping", or "lost"
            (the process is gone, and its claims have not been taken back yet).
        memory: Bytes of resident memory at its last report; None before the first.
        delivery: The id of the oldest delivery that it has claimed; None if it has none.
        queue: The queue of that delivery.
        busy_since: When it claimed that delivery, in Unix seconds on the store's clock.
        started_at: In the same seconds.
        seen_at: When it last reported, in the same seconds.
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
        kind: For a worker "started", "ready", "claimed" (at most one per second is
            recorded), "lost" (a claim was given back when the worker ended), "stopped" or
            "killed". For a pool "started" or "stopped". For all pools "scaled". For a
            redelivered message "revived" (a dead delivery of it is ready again) or "routed"
            (it had no route before).
        detail: Why the process ended, the new number of workers, the state of the delivery
            that was lost, or the message.
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
