"""Faults in what handlers are told of their steps, and in how they sleep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...app.context import Context
from ...app.steps.calls.calls import Calls
from ...app.steps.guard import Guard, current_task
from ...app.steps.journal import Journal
from ...store import Claim
from ...store.types.durable.step import StepRecord
from ..harness.faults import fault


@fault("a step returns what its function did the first time, and later what was recorded")
def live_outcome() -> None:
    live: dict[int, Any] = {}
    succeeded, replay = Calls._succeeded, Calls._replay

    def keep(self: Calls, asked: Any, value: object) -> StepRecord:
        record = succeeded(self, asked, value)
        live[id(record)] = value
        return record

    def give(self: Calls, record: StepRecord) -> Any:
        return live.pop(id(record)) if id(record) in live else replay(self, record)

    Calls._succeeded = keep  # type: ignore[method-assign]
    Calls._replay = give  # type: ignore[method-assign]


@fault("a step of a coroutine handler gets its occurrence when its coroutine begins")
def late_occurrence() -> None:
    was = Calls.step

    def step(self: Calls, *args: Any, **options: Any) -> Any:
        async def begin() -> Any:
            return await was(self, *args, **options)

        return was(self, *args, **options) if current_task() is None else begin()

    def own(self: Guard, name: str, task: object) -> None:
        pass

    Calls.step = step  # type: ignore[method-assign]
    Guard._own = own  # type: ignore[method-assign]


@fault("a step returns before its record is on disk: that comes with the next")
def late_record() -> None:
    write = Journal.write

    def later(self: Journal, records: Iterable[StepRecord]) -> None:
        *earlier, newest = records
        if earlier:
            write(self, earlier)
        self.later(newest)

    Journal.write = later  # type: ignore[method-assign]
    Journal.flush = lambda self: None  # type: ignore[method-assign]


@fault("a handler that has slept, and returns, is done")
def swallowed_sleep() -> None:
    stuck: Callable[[Context], BaseException | None] = Context.ends_with.fget  # type: ignore[attr-defined]

    def ends_with(self: Context) -> BaseException | None:
        return None if self.suspended else stuck(self)

    Context.ends_with = property(ends_with)  # type: ignore[assignment,method-assign]


@fault("the ack is not told that there are records")
def records_left() -> None:
    def nothing(self: Claim) -> None:
        pass

    Claim.note_steps = nothing  # type: ignore[method-assign]
