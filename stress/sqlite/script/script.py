"""A workload by script: one step after the other, each known by its answer and its state.

The same seed gives the same steps, on a clock of its own. A step can be taken again when
it has failed, under the same keys; its answer is then to be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ...machine.clocks import Machine
from .state import State
from .steps import Steps, Take

_TICK_EVERY = 10


@dataclass
class Step:
    """One step of a script.

    Attributes:
        take: Does it and returns the answer; given True, does it again.
        after: What the store then has, for whoever looks to note.
        highest: The greatest fence that anybody has been given by then.
    """

    name: str
    take: Take
    answer: Any = None
    after: State = field(default_factory=dict)
    highest: int = 0


class Script(Steps):
    """Takes steps on a store that it makes."""

    def __init__(self, path: str, random: Random, clock: Machine, *, most_claims: int) -> None:
        super().__init__(path, random, clock, most_claims=most_claims)
        self._taken = 0

    def next(self) -> Step:
        """Return the next step; the one before it has been taken."""
        if self._store is None:
            return self._step(self.open)
        self._taken += 1
        first = (
            self.make_table,
            self.enqueue,
            self.claim,
            self.complete,
            self.enqueue,
            self.claim,
            self.ack,
            self.register,
            self.consume,
        )
        if self._taken <= len(first):
            return self._step(first[self._taken - 1])
        if self._taken % _TICK_EVERY == 0:
            return self._step(self.tick)
        return self._step(self._random.choices(*self._choices())[0])

    def take(self, step: Step, *, again: bool = False) -> Any:
        """Take a step and return its answer; raises what the store raises."""
        step.answer = step.take(again)
        step.highest = self.highest
        return step.answer

    def _choices(self) -> tuple[list[Callable[[], Take]], list[float]]:
        weights: dict[Callable[[], Take], float] = {
            self.enqueue: 5,
            self.enqueue_many: 1,
            self.register: 2,
            self.acquire: 1,
            self.once: 1.5,
        }
        if self._bodies:
            weights[self.enqueue_again] = 1
        if self._entries:
            weights[self.consume] = 1
        if len(self._claims) < self._most_claims:
            weights[self.claim] = 5
        if not self._claims:
            weights[self.reopen] = 0.5
        if self._claims:
            weights |= {self.ack: 2, self.complete: 4, self.abort: 1, self.renew: 1}
            weights |= {self.retry: 1, self.release: 1, self.bury: 0.5}
        if self._leases:
            weights |= {self.keep: 1, self.free: 0.5}
        if self._onces:
            weights[self.finish] = 2
        return list(weights), list(weights.values())

    def _step(self, choose: Callable[[], Take]) -> Step:
        name = choose.__name__.strip("_").replace("_", " ")
        return Step(name, choose())
