"""Faults in how writers wait for each other."""

from __future__ import annotations

import sys

from ....store.sqlite.locks import gate
from ....store.sqlite.locks.gate import Gate
from ....store.sqlite.session.session import Session
from ...harness.faults import fault


@fault("writers wait by SQLite's busy handler alone")
def no_gate() -> None:
    def enter(self: Gate, deadline: float, *, batch: bool = False) -> bool:
        return True

    Gate.enter = enter  # type: ignore[method-assign]


@fault("StoreBusy after a millisecond")
def gives_up_early() -> None:
    was = Session.__init__

    def __init__(self: Session, *args: object, **options: object) -> None:
        was(self, *args, **options)  # type: ignore[arg-type]
        self._busy_seconds = 0.001  # not while it opens, which would end the writer

    Session.__init__ = __init__  # type: ignore[method-assign]


@fault("a waiting writer tries the gate every 20 ms only")
def slow_to_hand_on() -> None:
    gate._TURN_SECONDS = 0.0
    gate._FIRST_PAUSE_SECONDS = gate._LAST_PAUSE_SECONDS = 0.02


@fault("StoreBusy comes two seconds after the stated wait")
def busy_late() -> None:
    was = Gate.enter

    def enter(self: Gate, deadline: float, *, batch: bool = False) -> bool:
        return was(self, deadline + 2.0, batch=batch)

    Gate.enter = enter  # type: ignore[method-assign]


@fault("nobody overtakes a stopped writer that is first in line")
def line_stuck() -> None:
    gate._STUCK_SECONDS = 60.0


@fault("a writer that is interrupted does not leave the gate")
def gate_kept() -> None:
    was = Gate.__init__

    def __init__(self: Gate, path: str) -> None:
        was(self, path)
        leave = self.leave
        self.leave = lambda: sys.exc_info()[0] or leave()

    Gate.__init__ = __init__  # type: ignore[method-assign]
