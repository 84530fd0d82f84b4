"""Crash blame: which end of a worker counts as a crash, and of which delivery.

| how the process ended | it was running no handler | it was running handlers |
|---|---|---|
| killed by the supervisor | SUPERVISOR | SUPERVISOR |
| SIGSEGV or another crash, or an exit code above 0 | PROCESS | HANDLER |
| exit code 0 | NOBODY | HANDLER |
| SIGKILL | NOBODY | HANDLER, but NOBODY in the case below |
| any other signal | NOBODY | NOBODY |

A SIGKILL comes from the kernel, which needs the memory that a handler took, or from anybody.
So the first one during a delivery counts. Another during the same delivery does not count
if a worker with another delivery was killed in between: then somebody kills workers at random.

| why the worker ended | the delivery | what follows |
|---|---|---|
| any | its handler had not been called | UNBEGUN |
| any | its handler had returned, without a result | DONE |
| any | its handler had ended otherwise | LOST |
| HANDLER | its only one | CRASHED |
| HANDLER | one of several | SUSPECTED |
| killed for a delivery over its timeout | that one | OVERDUE |
| killed for a delivery over its timeout | another | UNCOUNTED |
| anything else | any | LOST |
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from ...types.worker import Progress

_CRASHES = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGABRT,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGSYS,
    signal.SIGTRAP,
}


class Blame(Enum):
    """Whose doing the end of a process was."""

    HANDLER = "what the worker was running"
    PROCESS = "the process itself, while it ran no handler"
    SUPERVISOR = "the supervisor, which killed it"
    NOBODY = "somebody else, or there is nothing to blame"


class Consequence(Enum):
    """What follows for a delivery whose worker has ended."""

    CRASHED = "the crash counts, and the delivery is dead after max_crashes of them"
    SUSPECTED = "tried again one by one with the others, so that the guilty one shows itself"
    OVERDUE = "tried again after the pause that follows a failed attempt"
    UNBEGUN = "ready again, as if it had not been claimed"
    DONE = "acknowledged: the worker had no time to do so itself"
    UNCOUNTED = "ready again, and the attempt does not count"
    LOST = "ready again; after several lost attempts it waits longer each time"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended.

    Attributes:
        signal: The number of the signal that killed it, 0 for none.
        code: What it exited with, 0 when a signal killed it.
        by_supervisor: The supervisor killed it.
        claims: How many deliveries its handlers were running.
    """

    signal: int = 0
    code: int = 0
    by_supervisor: bool = False
    claims: int = 0


def blame(exit: Exit, *, killed_before: bool = False, others_since: bool = False) -> Blame:
    """Decide whose doing the end of a process was.

    Args:
        killed_before: A SIGKILL has ended an earlier worker with the same delivery.
        others_since: After that, or at the same moment as this one, a SIGKILL has ended a
            worker with another delivery.
    """
    if exit.by_supervisor:
        return Blame.SUPERVISOR
    crashed = exit.code > 0 or exit.signal in _CRASHES
    if not exit.claims:
        return Blame.PROCESS if crashed else Blame.NOBODY
    if exit.signal == signal.SIGKILL:
        return Blame.NOBODY if killed_before and others_since else Blame.HANDLER
    return Blame.HANDLER if crashed or not exit.signal else Blame.NOBODY


Stage = Literal["unbegun", "running", "done", "ended"]


def stage(progress: Progress | None, fence: int) -> Stage:
    """Return how far a worker was with one of its claims; None stands for running all of them."""
    if progress is None:
        return "running"
    if fence in progress.unbegun or fence > progress.known:
        return "unbegun"
    if fence in progress.done:
        return "done"
    return "ended" if fence in progress.ended else "running"


def consequence(
    delivery: int,
    *,
    crashed: bool,
    overdue: int | None,
    claims: int,
    stage: Stage = "running",
) -> Consequence:
    """Decide what follows for a delivery whose worker has ended.

    Args:
        crashed: Its handlers are to blame.
        overdue: The delivery over its timeout for which the worker was killed, None for none.
        claims: How many deliveries the worker's handlers were running.
        stage: How far it was with this one.
    """
    if stage == "unbegun":
        return Consequence.UNBEGUN
    if stage == "done":
        return Consequence.DONE
    if stage == "ended":
        return Consequence.LOST
    if crashed:
        return Consequence.CRASHED if claims == 1 else Consequence.SUSPECTED
    if overdue is None:
        return Consequence.LOST
    return Consequence.OVERDUE if delivery == overdue else Consequence.UNCOUNTED
