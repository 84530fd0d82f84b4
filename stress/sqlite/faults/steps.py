"""Faults in how steps, sleeps and waits are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from msgspec.structs import replace

from ....store.engine import Hold
from ....store.rules.durable.waits import decide_answer
from ....store.sqlite.queue.holding import HOLDING_OR_DEAD
from ....store.sqlite.steps import records, suspend
from ....store.sqlite.steps.verbs import SqliteSteps
from ....store.sqlite.waits import verbs as waits
from ....store.types.durable.step import StepRecord
from ....store.types.durable.wait import Answered, Wait
from ...harness.faults import fault


@fault("a step is recorded whoever has claimed its delivery by now")
def unfenced_record() -> None:
    unfenced = records._RECORD.replace(HOLDING_OR_DEAD, "id = :id")
    records._RECORD = unfenced.replace(":outcome, fence, :code", ":outcome, :fence, :code")


class _Step(NamedTuple):
    tx: Any
    record: Callable[[StepRecord], None]


@fault("a step in a transaction is recorded in a commit of its own, after its writes")
def split_transaction() -> None:
    was = SqliteSteps.transaction

    @contextmanager
    def transaction(self: SqliteSteps, hold: Hold) -> Iterator[_Step]:
        made: list[StepRecord] = []
        with was(self, hold) as step:
            yield _Step(step.tx, made.append)
        self.record([(hold, each) for each in made])

    SqliteSteps.transaction = transaction  # type: ignore[method-assign,assignment]


@fault("a sleep counts as an attempt")
def counted_sleep() -> None:
    for counted in ("attempt", "crashes"):
        kept = f"{counted} = {counted}"
        line = next(each for each in suspend._SUSPEND.splitlines() if f" {counted} = case" in each)
        suspend._SUSPEND = suspend._SUSPEND.replace(line, f"    {kept},")


@fault("an answer that comes between the look and the sleep wakes nobody")
def lost_wake() -> None:
    suspend._WAIT = suspend._WAIT.replace("answer is not null", "0")


@fault("an answer is accepted after the deadline")
def late_answer() -> None:
    was = decide_answer

    def decide(found: Wait | None, value: str, *, state: str | None, now_ms: int) -> Answered:
        if found is not None and found.answer is None:
            found = replace(found, deadline_ms=None)
        return was(found, value, state=state, now_ms=now_ms)

    vars(waits)["decide_answer"] = decide
