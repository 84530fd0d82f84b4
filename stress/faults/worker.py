"""Faults in how a worker treats its messages and its own process."""

from __future__ import annotations

import contextlib

from ...store.engine import Hold
from ...workers import pool
from ...workers.process import descendants
from ...workers.worker.in_progress import InProgress, SupervisedLease
from ...workers.worker.state.process_state import ProcessState
from ...workers.worker.worker import Worker
from ..harness.faults import fault


@fault("a worker that is told to stop keeps claiming")
def claims_on() -> None:
    def stop(self: Worker) -> None:
        pass

    Worker.stop = stop  # type: ignore[method-assign]


@fault("no worker is killed when its handler is over its timeout")
def timeouts_ignored() -> None:
    begin = InProgress.begin

    def begin_for_ever(
        self: InProgress, hold: Hold, ends_ms: int, timeout: float | None = None
    ) -> SupervisedLease:
        return begin(self, hold, ends_ms)

    InProgress.begin = begin_for_ever  # type: ignore[method-assign]


@fault("children of a dead worker run on beside the next attempt")
def children_left() -> None:
    vars(descendants)["kill"] = lambda *_: None


@fault("what a handler changes in its process stays changed")
def state_not_put_back() -> None:
    def restore(self: ProcessState, *, quick: bool = False) -> list[str]:
        return []

    ProcessState.restore = restore  # type: ignore[method-assign]


@fault("what handlers write to stderr appears between the lines of the log")
def stderr_not_wrapped() -> None:
    vars(pool)["captured"] = contextlib.nullcontext


@fault("a worker begins also what was taken from it while it was stuck")
def begins_what_was_taken() -> None:
    def taken(self: InProgress, hold: Hold) -> bool:
        return False

    InProgress.is_taken = taken  # type: ignore[method-assign]
    InProgress.age_ms = property(lambda self: 0)  # type: ignore[assignment,method-assign]
