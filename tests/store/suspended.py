"""Deliveries whose handlers sleep or wait, without handlers."""

from __future__ import annotations

from collections.abc import Sequence

from fencepost import Claim, Queue, Store
from fencepost.store.types.durable.sleep import Sleep
from fencepost.store.types.durable.step import StepRecord
from fencepost.store.types.durable.wait import NEVER_MS, Place, Subject, Wanted

from ..clock import FakeClock


def suspend(
    store: Store,
    claim: Claim,
    until_ms: int,
    *,
    at: str = "nap",
    anew: bool = True,
    records: Sequence[StepRecord] = (),
    waits: Sequence[Wanted] = (),
) -> None:
    """Let a claimed delivery sleep until then, or until what it waits for has come."""
    claim.note_steps()
    store.engine.durable.steps.suspend(claim.hold, Sleep(at, until_ms, anew, records, waits))


def sleep(store: Store, claim: Claim, seconds: int, *, anew: bool = True) -> None:
    """Let a claimed delivery sleep as `ctx.sleep` does; not anew, the step is there already."""
    until_ms = store.engine.clock.now_ms() + seconds * 1000
    nap = StepRecord(1, "nap", 1, "sleep", None, None, str(until_ms), claim.fence, None)
    suspend(store, claim, until_ms, anew=anew, records=[nap] if anew else [])


def place(claim: Claim, occurrence: int = 1, *, name: str = "approval") -> Place:
    """Return where a claimed delivery waits."""
    return Place(claim.id, name, occurrence)


def wait(
    store: Store,
    claim: Claim,
    seconds: float | None = 60,
    *,
    at: str = "approval",
    subject: Subject | None = None,
    anew: bool = True,
) -> None:
    """Let a claimed delivery wait for an answer, or for a message."""
    until_ms = NEVER_MS if seconds is None else store.engine.clock.now_ms() + round(seconds * 1000)
    waits = [Wanted(place(claim, name=at), until_ms, subject)]
    suspend(store, claim, until_ms, at=at, anew=anew, waits=waits)


def taken_over(queue: Queue, clock: FakeClock) -> tuple[Claim, Claim]:
    """Return a claim that was lost, and that of its delivery's holder."""
    queue.enqueue(b"work")
    (stale,) = queue.claim(lease=30)
    clock.advance(31)
    (holder,) = queue.claim(lease=30)
    return stale, holder
