"""The steps' part of the contract, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal, NamedTuple

import msgspec

from ...engine import Hold
from ...errors import LeaseLost
from ...types.durable.sleep import Sleep
from ...types.durable.step import StepRecord
from ...types.durable.wait import Wait
from ..memory import Session, Write
from ..queues import changes
from ..queues.settle import count, require
from ..rows import DeliveryRow
from .waits import begin, taken


class _StepTransaction(NamedTuple):
    tx: Write
    record: Callable[[StepRecord], None]
    add: Callable[[Mapping[str, int]], None]


class PlainSteps:
    """See fencepost.store.engine.durable.steps.StepVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def seed(self) -> bytes:
        self._session.check("seed")
        return self._session.memory.seed

    def records(self, delivery: int) -> list[StepRecord]:
        return list(self._session.read("records").steps.get(delivery, ()))

    def holds(self, hold: Hold) -> bool:
        row = self._session.read("holds").deliveries.get(hold.id)
        return row is not None and (row.fence, row.token) == (hold.fence, hold.token)

    def record(self, entries: Sequence[tuple[Hold, StepRecord]]) -> list[LeaseLost | None]:
        with self._session.write("step", joins=False) as write:
            return [self._try(write, hold, step) for hold, step in entries]

    def suspend(self, hold: Hold, sleep: Sleep) -> None:
        with self._session.write("suspend") as write:
            row = write.tables.deliveries.get(hold.id)
            same = row is not None and (row.fence, row.settled) == (hold.fence, hold.token)
            if same and row is not None and row.state in ("sleeping", "ready"):
                return
            row = require(write, hold, "suspend")
            for each in sleep.records:
                record(write, hold, each)
            until_ms = sleep.until_ms
            for wanted in sleep.waits:
                if begin(write, wanted):
                    until_ms = write.now
            changes.change(
                write,
                row,
                state="sleeping",
                asleep=sleep.at,
                due_ms=until_ms,
                attempt=0 if sleep.anew else row.attempt - 1,
                crashes=0 if sleep.anew else row.crashes,
                error=None,
                token=None,
                settled=hold.token,
                until_ms=None,
                changed_ms=write.now,
            )
            write.wakes = True

    @contextmanager
    def transaction(self, hold: Hold) -> Iterator[_StepTransaction]:
        with self._session.write("step", joins=False) as write:
            require(write, hold, "step", done=True)
            yield _StepTransaction(write, partial(record, write, hold), partial(count, write))

    def _try(self, write: Write, hold: Hold, step: StepRecord) -> LeaseLost | None:
        try:
            record(write, hold, step)
        except LeaseLost as error:
            return error
        return None


def record(write: Write, hold: Hold, step: StepRecord) -> None:
    """Add a record; one that is there already is good.

    Raises:
        LeaseLost: The claim does not hold.
    """
    known = write.tables.steps.get(hold.id, ())
    new = msgspec.structs.replace(step, fence=hold.fence, recorded_at_ms=write.now)
    if any(_same(each, new) for each in known):
        return
    row = require(write, hold, "step", done=True)
    if step.kind == "event":
        taken(write, hold.id, step)
    if any(each.number == step.number for each in known):
        raise write.lost(hold.what, "superseded", "step")
    write.tables.steps[row.id] = (*known, new)


def _same(one: StepRecord, other: StepRecord) -> bool:
    return msgspec.structs.replace(one, recorded_at_ms=other.recorded_at_ms) == other


def forget_from(write: Write, row: DeliveryRow, start: Literal[True] | str) -> bool:
    """Forget a step and what came after it, or all; False when there is no such step."""
    tables, known = write.tables, write.tables.steps.get(row.id, ())
    if start is True:
        changes.forget_steps(write, row.id)
    else:
        at = next((index for index, each in enumerate(known) if each.name == start), None)
        waits = {place: wait for place, wait in tables.waits.items() if place[0] == row.id}
        waited = [_ends(wait) for place, wait in waits.items() if place[1] == start]
        if at is None and not waited:
            return False
        since = min(waited) if at is None else known[at].recorded_at_ms
        if at is None:
            kept = tuple(each for each in known if each.recorded_at_ms < since)
        else:
            kept = known[:at]
        tables.steps[row.id] = kept
        for place, wait in waits.items():
            if _ends(wait) >= since:
                del tables.waits[place]
                tables.subjects.pop(place, None)
    tables.deliveries[row.id] = row._replace(generation=row.generation + 1)
    return True


def _ends(wait: Wait) -> int:
    """Return when it was answered, or its deadline."""
    at = wait.deadline_ms if wait.answered_at_ms is None else wait.answered_at_ms
    assert at is not None, "it was neither answered nor waited for"
    return at
