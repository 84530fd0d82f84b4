"""Faults in how writers wait."""

from __future__ import annotations

from ...store.sqlite import gate
from ...store.sqlite.door import Door
from ...store.sqlite.gate import Gate
from ..canary import Canary


def _no_gate() -> None:
    def enter(self: Gate, deadline: float) -> bool:
        return True

    Gate.enter = enter  # type: ignore[method-assign]


def _hasty() -> None:
    was = Door.__init__

    def __init__(self: Door, *args: object, **options: object) -> None:
        was(self, *args, **options)  # type: ignore[arg-type]
        self._busy_seconds = 0.001  # not while it opens, which would end the writer

    Door.__init__ = __init__  # type: ignore[method-assign]


def _slow_to_hand_on() -> None:
    gate._TURN_SECONDS = 0.0
    gate._FIRST_PAUSE_SECONDS = gate._LAST_PAUSE_SECONDS = 0.02


CANARIES = (
    Canary(
        "no-gate",
        "writers wait by SQLite's busy handler alone",
        scenario="busy",
        trips="shares-fair",
        plant=_no_gate,
    ),
    Canary(
        "gives-up-early",
        "StoreBusy after a millisecond",
        scenario="busy",
        trips="busy-in-time",
        plant=_hasty,
    ),
    Canary(
        "slow-to-hand-on",
        "who waits looks at the gate every 20 ms, after each commit of another",
        scenario="busy",
        trips="throughput-kept",
        plant=_slow_to_hand_on,
    ),
)
