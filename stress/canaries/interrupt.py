"""Faults in what is done about an exception in the midst of a call."""

from __future__ import annotations

import sys

from ...store.sqlite.locks.gate import Gate
from ..harness.canary import Canary


def _kept() -> None:
    was = Gate.__init__

    def __init__(self: Gate, path: str) -> None:
        was(self, path)
        leave = self.leave
        self.leave = lambda: sys.exc_info()[0] or leave()

    Gate.__init__ = __init__  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "gate-kept",
        "who is interrupted does not leave the gate",
        scenario="interrupt",
        trips="never-stuck",
        plant=_kept,
    ),
)
