"""One attempt of a handler of the app: what it notes, and where its process dies."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from ...app import Context
from ...app.steps.errors import Suspended
from ...store import Message
from ...store.engine import Engine, Hold
from ...store.errors import FencepostError, LeaseLost
from ...store.types.durable.sleep import Sleep
from ...store.types.durable.step import StepRecord
from ...store.types.durable.wait import Place
from ...store.waiting.wait_token import make_token
from ..harness.waiting import until
from .first import is_first
from .notes import Note, Notes
from .plan import ANSWER, STOP_AT, Plan

EFFECTS = "create table if not exists effects (delivery integer, step text, fence integer)"
_EFFECT = "insert into effects values (?, ?, ?)"

_LATE_SECONDS = 20.0


class Attempt:
    """What one attempt does beside its steps; use it as a context manager around them.

    Attributes:
        asked: The step that it has asked for last.
    """

    def __init__(self, message: Message, ctx: Context) -> None:
        self.plan = msgspec.json.decode(message.body, type=Plan)
        self.ctx = ctx
        self.id = ctx._claim.id
        self.asked = ""
        self._engine = ctx.store.engine
        self._notes = _notes()
        _hook(self._engine)
        _attempts[self.id] = self

    def __enter__(self) -> Self:
        steps = self._engine.durable.steps.records(self.id)
        self.note("try", says=str(self.ctx.attempt))
        for each in steps:
            says = json.dumps([each.fence, each.recorded_at_ms])
            self.note("record", f"{each.name} {each.occurrence}", says)
        found = self._engine.durable.waits.find(Place(self.id, ANSWER, 1))
        if found is not None and found.deadline_ms is not None:
            self.note("deadline", says=str(found.deadline_ms))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, Suspended):
            self.at(f"finally {self.asked}")
            return self.plan.rude
        if error is None:
            self.note("done")
        else:
            says = error.code if isinstance(error, FencepostError) else type(error).__name__
            self.note("failed", says=says)
        return False

    def note(self, what: str, step: str = "", says: str = "") -> None:
        """Note something of this attempt."""
        now = self._engine.clock.now_ms()
        self._notes.write(Note(what, now, self.id, self.ctx.fence, step, says))

    def got(self, step: str, outcome: object) -> None:
        """Note what a step came to, and die once that is known if it is to be here."""
        self.note("got", step, repr(outcome))
        self.at(f"after {step}")

    def effect(self, step: str) -> tuple[object, ...]:
        """Do what must not be done once more than the process dies in it."""
        self.note("effect", step)
        self.at(f"in {step}")
        return step, self.ctx.fence, random.random()

    def insert(self, tx: Any, step: str) -> tuple[object, ...]:
        """Write what commits together with the record of the step."""
        tx.execute(_EFFECT, (self.id, step, self.ctx.fence))
        self.at(f"in {step}")
        return step, self.ctx.fence, random.random()

    def at(self, boundary: str) -> None:
        """Die here, if that is the plan and no process did so before."""
        if self.plan.kill == boundary and self.is_first("kill"):
            self.note("killed", boundary)
            os.kill(os.getpid(), signal.SIGKILL)

    def is_first(self, what: str, text: str = "") -> bool:
        """True for the one attempt at this delivery, of all that ask, which comes first."""
        return is_first(f"{what}-{self.id}", text)

    def answer(self) -> None:
        """Answer the wait that the handler has found open."""
        if self.plan.answers_itself and self.is_first("answer"):
            value = {"by": "itself", "to": self.id}
            answer(self.ctx.store, self._notes, self.id, value)

    def stand(self, write: Callable[[], Any]) -> Any:
        """Write a record. Where it is to be stopped: only after another has claimed the delivery.

        And that one only after the first has tried to write.
        """
        late = Path(f"late-{self.id}")
        if not self.plan.stop:
            return write()
        if not self.is_first("stopped", f"{os.getpid()} {os.getppid()}"):
            Path(f"second-{self.id}").touch()
            until(late.exists, "the first has tried", seconds=_LATE_SECONDS)
            return write()
        self.note("stopped", STOP_AT)
        refused: Any = None
        # Else its worker tells it that the lease is lost, before it has tried to write.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            answers = write()
            refused = answers[0]
            return answers
        except LeaseLost as lost:
            refused = lost
            raise
        finally:
            if Path(f"second-{self.id}").exists():
                self.note("late", STOP_AT, "written" if refused is None else "refused")
            late.touch()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})


def answer(store: Any, notes: Notes, delivery: int, value: object) -> str:
    """Answer a wait, and note what came of it, with the times before and after."""
    engine: Engine = store.engine
    token = make_token(engine, Place(delivery, ANSWER, 1))
    text, before = repr(value), engine.clock.now_ms()
    notes.write(Note("answering", before, delivery, says=text))
    status: str = store.resume(token, value)
    says = json.dumps([status, text, before])
    notes.write(Note("answered", engine.clock.now_ms(), delivery, says=says))
    return status


_attempts: dict[int, Attempt] = {}


@cache
def _notes() -> Notes:
    return Notes(Path())


def _hook(engine: Engine) -> None:
    """Have the engine's verbs, in this process, pass the points at which it may die."""
    steps: Any = engine.durable.steps
    if "record" in vars(steps):
        return  # they do
    record, suspend, transaction = steps.record, steps.suspend, steps.transaction

    def recording(entries: Sequence[tuple[Hold, StepRecord]]) -> Any:
        for hold, step in entries:
            _attempts[hold.id].at(f"record {_point(step)}")
        hold, step = entries[-1]
        if f"record {step.name}" == STOP_AT:
            answers = _attempts[hold.id].stand(lambda: record(entries))
        else:
            answers = record(entries)
        for (hold, step), refused in zip(entries, answers, strict=True):
            if refused is None:
                _attempts[hold.id].at(f"recorded {_point(step)}")
        return answers

    def suspending(hold: Hold, sleep: Sleep) -> None:
        attempt = _attempts[hold.id]
        attempt.at(f"suspend {sleep.at}")
        if sleep.at == ANSWER:
            attempt.answer()
        suspend(hold, sleep)
        attempt.at(f"suspended {sleep.at}")

    @contextmanager
    def transacting(hold: Hold) -> Iterator[Any]:
        attempt, name = _attempts[hold.id], [""]
        with transaction(hold) as step:

            def noted(record: StepRecord) -> None:
                name[0] = record.name
                step.record(record)
                attempt.at(f"commit {record.name}")

            yield _Step(step.tx, noted)
        attempt.at(f"committed {name[0]}")

    steps.record, steps.suspend, steps.transaction = recording, suspending, transacting


class _Step(msgspec.Struct):
    tx: Any
    record: Callable[[StepRecord], None]


def _point(step: StepRecord) -> str:
    return f"g{step.occurrence - 1}" if step.name == "g" else step.name
