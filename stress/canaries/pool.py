"""Faults in how a pool's processes end, and in what they leave to each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from ...app import Context
from ...linux.reaper import Reaper
from ...store import Transaction
from ...workers.process.forkserver import ForkServer
from ...workers.supervisor.dead_workers import DeadWorkers
from ..harness.canary import Canary


def _effect_apart() -> None:
    @contextmanager
    def transaction(self: Context) -> Iterator[Transaction]:
        with self.store.transaction() as tx:
            yield tx  # and the ack rides with the next claim

    Context.transaction = transaction  # type: ignore[method-assign]


def _nothing_given_back() -> None:
    def retire(self: DeadWorkers, worker: int, ending: object) -> bool:
        return True

    DeadWorkers._retire = retire  # type: ignore[method-assign]


def _template_unburied() -> None:
    def forget(self: ForkServer) -> None:
        if self.line is not None:
            self.line.close()
            self.line, self._up = None, False

    def reap(self: Reaper, known: Collection[int]) -> None:
        pass

    ForkServer.end = forget  # type: ignore[method-assign]
    Reaper.reap = reap  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "effect-apart",
        "a handler's writes commit apart from its ack",
        scenario="pool",
        trips="effects-once",
        plant=_effect_apart,
    ),
    Canary(
        "nothing-given-back",
        "the supervisor leaves a dead worker's claims to the end of their leases",
        scenario="pool",
        trips="handled-again-in-time",
        plant=_nothing_given_back,
    ),
    Canary(
        "template-unburied",
        "nobody waits for what the supervisor does not count among its processes",
        scenario="pool",
        trips="reaped",
        plant=_template_unburied,
    ),
)
