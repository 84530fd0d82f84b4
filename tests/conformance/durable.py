"""Wrong versions of what the plain engine does for steps, sleeps and waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from fencepost.store.engine import Hold
from fencepost.store.errors import LeaseLost, StoreCorrupt
from fencepost.store.reference.durable.ends import PlainEnds
from fencepost.store.reference.durable.steps import PlainSteps
from fencepost.store.reference.durable.waits import PlainWaits, begin
from fencepost.store.reference.memory import Write
from fencepost.store.reference.queues import changes
from fencepost.store.reference.queues.settle import require
from fencepost.store.types.durable.ended import Asked, Ended
from fencepost.store.types.durable.sleep import Sleep
from fencepost.store.types.durable.step import StepRecord
from fencepost.store.types.durable.wait import Answered, Place, Wanted

_suspend, _answer, _transaction = PlainSteps.suspend, PlainWaits.answer, PlainSteps.transaction
_look = PlainEnds.look


def look_at_the_first(self: PlainEnds, asked: Sequence[Asked]) -> list[Ended | StoreCorrupt | None]:
    """Take a message for ended when one of its deliveries has."""
    rows = self._session.memory.tables.deliveries.values()
    first = [
        each
        if each.queue
        else each._replace(queue=next(row.queue for row in rows if row.message == each.message))
        for each in asked
    ]
    return _look(self, first)


def record_of_anyone(write: Write, hold: Hold, step: StepRecord) -> None:
    """Write a record, whoever has claimed the delivery by now."""
    known = write.tables.steps.get(hold.id, ())
    new = msgspec.structs.replace(step, fence=hold.fence, recorded_at_ms=write.now)
    write.tables.steps[hold.id] = (*known, new)


def record_of_the_living(write: Write, hold: Hold, step: StepRecord) -> None:
    """Refuse the record of a claim whose lease has expired, though nobody has claimed since."""
    row = require(write, hold, "step", done=True)
    if (row.until_ms or 0) <= write.now:
        raise write.lost(hold.what, "expired", "step")
    known = write.tables.steps.get(hold.id, ())
    new = msgspec.structs.replace(step, fence=hold.fence, recorded_at_ms=write.now)
    if new not in known:
        write.tables.steps[hold.id] = (*known, new)


@contextmanager
def split_transaction(self: PlainSteps, hold: Hold) -> Iterator[Any]:
    """Write the record in a transaction of its own, whatever becomes of that of the step."""
    made: list[StepRecord] = []
    try:
        with _transaction(self, hold) as step:
            yield step._replace(record=made.append)
    finally:
        self.record([(hold, each) for each in made])


def counted_sleep(self: PlainSteps, hold: Hold, sleep: Sleep) -> None:
    """Let a delivery sleep, and count the attempt."""
    _suspend(self, hold, sleep._replace(anew=False))
    with self._session.write("suspend") as write:
        row = write.tables.deliveries[hold.id]
        write.tables.deliveries[hold.id] = row._replace(attempt=row.attempt + 1)


def held_sleep(self: PlainSteps, hold: Hold, sleep: Sleep) -> None:
    """Let a delivery sleep without looking at who holds it."""
    with self._session.write("suspend") as write:
        row = write.tables.deliveries[hold.id]
        changes.change(write, row, state="sleeping", asleep=sleep.at, due_ms=sleep.until_ms)


def second_look(write: Write, wanted: Wanted) -> bool:
    """Note a wait, and miss what came between the look and this."""
    begin(write, wanted)
    return False


def late_answer(self: PlainWaits, place: Place, value: str) -> Answered:
    """Accept an answer after its deadline."""
    with self._session.write("resume") as write:
        found = write.tables.waits.get(place[:3])
        if found is not None and found.answer is None:
            write.tables.waits[place[:3]] = msgspec.structs.replace(found, deadline_ms=None)
    return _answer(self, place, value)


def last_answer(self: PlainWaits, place: Place, value: str) -> Answered:
    """Take an answer in place of an earlier one."""
    with self._session.write("resume") as write:
        found = write.tables.waits.get(place[:3])
        if found is not None:
            write.tables.waits[place[:3]] = msgspec.structs.replace(found, answer=None)
    return _answer(self, place, value)


def silent_answer(self: PlainWaits, place: Place, value: str) -> Answered:
    """Keep an answer, and wake nobody."""
    with self._session.write("resume") as write:
        row = write.tables.deliveries.get(place.delivery)
    said = _answer(self, place, value)
    if row is not None:
        with self._session.write("resume") as write:
            write.tables.deliveries[place.delivery] = row
    return said


def answer_to_any_generation(self: PlainWaits, place: Place, value: str) -> Answered:
    """Accept a token that a replay from the start has made stale."""
    row = self._session.read("resume").deliveries.get(place.delivery)
    return _answer(self, place if row is None else place._replace(generation=row.generation), value)


def forget_nothing(write: Write, delivery: int) -> None:
    """Keep the records of what has ended."""


def refuse_all(
    self: PlainSteps, entries: Sequence[tuple[Hold, StepRecord]]
) -> list[LeaseLost | None]:
    """Refuse all records of a commit when one is refused."""
    with self._session.write("step", joins=False) as write:
        found = [self._try(write, hold, step) for hold, step in entries]
        lost = next((each for each in found if each is not None), None)
        return [lost for _ in entries] if lost is not None else found
