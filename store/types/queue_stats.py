"""The numbers of a queue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The number of deliveries of a queue in each state, and its settings.

    Attributes:
        ready: Can be claimed now, or as soon as those before it in its lane have run.
        scheduled: Waiting for a time: delayed, or waiting for its next attempt.
        leased: Claimed by a worker or another caller.
        asleep: Their handlers sleep or wait for an answer; no caps count them. One whose time has
            come counts as ready, until a worker takes it.
        done: Finished.
        dead: Dead letters.
        cancelled: Cancelled by an operator.
        oldest_ready_age: Seconds for which the oldest ready delivery has been ready; 0.0 if
            none is.
        paused: Nothing is claimed until an operator resumes the queue.
        max_leased: The most that may be leased at the same time; None for no limit.
    """

    ready: int = 0
    scheduled: int = 0
    leased: int = 0
    asleep: int = 0
    done: int = 0
    dead: int = 0
    cancelled: int = 0
    oldest_ready_age: float = 0.0
    paused: bool = False
    max_leased: int | None = None
