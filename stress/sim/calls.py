"""Calls of the store, and what becomes of their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

from ...store.errors import FencepostError, OutcomeUnknown
from ..sqlite.disk.disk import Disk
from . import effects
from .config import Config
from .judge import RULES, Judge
from .machine import Machine
from .process import Call, Process
from .reference import Reference
from .verdict import Broken

_T = TypeVar("_T")

# Refused because of what befell the machine, with nothing changed.
PASSING = frozenset({"store_busy", "store_full", "store_failed", "store_open_failed", "sql_error"})
# A call of which each part is a commit of its own, and no part is missed.
UPKEEP = Call("upkeep", ())


class Calls:
    """What actors use.

    Attributes:
        faults: How many of each kind there were.
        steps: How many calls were made.
        trace: What was done, and what befell whom.
        running: The processes that are in the middle of a call, the last one in fact.
    """

    def __init__(self, seed: int, path: str, disk: Disk) -> None:
        self.random = Random(seed)
        self.config = Config(self.random)
        self.path = path
        self.disk = disk
        self.machine = Machine(self.random, path)
        self.judge = Judge(path, effects.TABLE)
        self.faults: Counter[str] = Counter()
        self.steps = 0
        self.trace: list[tuple[object, ...]] = []
        self.running: list[Process] = []
        self.offset_ms = 0

    @property
    def model(self) -> Reference:
        """The store as it has to be."""
        return self.judge.model

    @property
    def now(self) -> int:
        """Milliseconds on the store's clock."""
        return self.machine.boot + self.offset_ms

    def call(
        self,
        process: Process,
        verb: str,
        *arguments: Any,
        ask: Callable[[], _T],
    ) -> _T | None:
        """Call the store; return what it answered, or None when it did not.

        Args:
            verb, arguments: The same call of the reference.
        """
        answer = self._ask(process, Call(verb, arguments), ask)
        if isinstance(answer, OutcomeUnknown) and self.random.random() < 0.8:
            self.disk.heal()
            answer = self._ask(process, Call(verb, arguments), ask)
        return None if isinstance(answer, FencepostError) else answer

    def keep_up(self, process: Process, ask: Callable[[], object]) -> None:
        """Call for upkeep, which takes away only what may go at any time."""
        self.steps += 1
        process.call = UPKEEP
        try:
            answer = ask()
        except FencepostError as error:
            answer = error
            if error.code not in PASSING and not isinstance(error, OutcomeUnknown):
                raise Broken("typed-errors", f"upkeep: {error.code}: {error}") from error
        process.call = None
        self.note(process, "upkeep", answer)
        self.compare("after upkeep")

    def hesitate(self) -> None:
        """Let the running process be overtaken, or die."""
        raise NotImplementedError

    def _ask(self, process: Process, call: Call, ask: Callable[[], _T]) -> _T | FencepostError:
        self.steps += 1
        met = self.disk.met
        process.call = call
        answer: _T | FencepostError
        try:
            answer = ask()
        except FencepostError as error:
            answer = error
        except Broken:  # by one that overtook it
            raise
        except Exception as error:
            raise Broken("typed-errors", f"{call.verb}: {type(error).__name__}: {error}") from error
        process.call = None
        self.note(process, call, answer)
        at, self.judge.now = self.machine.read_ms + self.offset_ms, self.now
        if isinstance(answer, OutcomeUnknown):
            self.judge.unanswered(call, at)
        elif not isinstance(answer, FencepostError):
            self.judge.answered(call, at, answer)
            self.judge.went_on()
        elif answer.code in RULES:
            self.judge.answered(call, at, answer)
        else:
            self._failed(call, answer, met)
        return answer

    def _failed(self, call: Call, error: FencepostError, met: int) -> None:
        said = f"{call.verb}: {error.code}: {error}"
        self.judge.checked["typed-errors"] += 1
        if error.code not in PASSING:
            raise Broken("typed-errors", said)
        if error.code == "store_busy":
            self.judge.checked["busy-in-time"] += 1
            if len(self.running) < 2:
                raise Broken("busy-in-time", f"{said}, and nobody has the lock")
        elif self.disk.met == met and not self.machine.hog:
            raise Broken("typed-errors", f"{said}, and no fault was met")
        self.compare(f"after {said}")

    def compare(self, when: str) -> None:
        """Hold the whole file against the model."""
        self.judge.now = self.now
        self.judge.compare(when)

    def note(self, *what: object) -> None:
        """Keep it for whoever reads of a finding."""
        self.trace.append((self.now, *what))
