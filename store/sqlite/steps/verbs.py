"""The steps' part of the contract on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from ...engine import Hold
from ...errors import LeaseLost
from ...types.durable.sleep import Sleep
from ...types.durable.step import StepRecord
from ..file.space import ROW_BYTES, again_when_full
from ..queue.holding import HOLDING_OR_DEAD, require_to_end
from ..rows import counters as counter_rows
from ..session import damage
from ..session.session import Session, Write
from . import records as stored
from .suspend import suspend

_SEED = "select seed from fp_store where one = 1"

_HOLDS = f"select 1 from fp_delivery where {HOLDING_OR_DEAD}"


class _StepTransaction(NamedTuple):
    tx: Write
    record: Callable[[StepRecord], None]
    add: Callable[[Mapping[str, int]], None]


@damage.tells
class SqliteSteps:
    """See fencepost.store.engine.durable.steps.StepVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seed = b""

    def seed(self) -> bytes:
        if not self._seed:
            ((self._seed,),) = self._session.read(_SEED)
        return self._seed

    def records(self, delivery: int) -> list[StepRecord]:
        rows = self._session.read(stored.OF_DELIVERY, {"delivery": delivery})
        return [stored.as_record(tuple(row)) for row in rows]

    def holds(self, hold: Hold) -> bool:
        proof = {"id": hold.id, "fence": hold.fence, "token": hold.token}
        return bool(self._session.read(_HOLDS, proof))

    def record(self, entries: Sequence[tuple[Hold, StepRecord]]) -> list[LeaseLost | None]:
        @again_when_full
        def transact() -> list[LeaseLost | None]:
            with self._session.write("step", joins=False, grows=grows) as write:
                return [stored.record(write, hold, step) for hold, step in entries]

        grows = sum([len(step.outcome or "") + ROW_BYTES for _, step in entries])
        return transact()

    def suspend(self, hold: Hold, sleep: Sleep) -> None:
        @again_when_full
        def transact() -> None:
            with self._session.write("suspend") as write:
                suspend(write, hold, sleep)

        transact()

    @contextmanager
    def transaction(self, hold: Hold) -> Iterator[_StepTransaction]:
        # Nobody can claim it while this transaction holds the write lock.
        with self._session.write("step", joins=False, nests=True) as write:
            with damage.told(self._session.path, "step"):
                require_to_end(write, hold, "step")
            yield _StepTransaction(
                write, partial(self._add, write, hold), partial(self._count, write)
            )

    def _add(self, write: Write, hold: Hold, step: StepRecord) -> None:
        with damage.told(self._session.path, "step"):
            if refused := stored.record(write, hold, step):
                raise refused

    def _count(self, write: Write, counts: Mapping[str, int]) -> None:
        with damage.told(self._session.path, "step"):
            counter_rows.add(write, [counts])
