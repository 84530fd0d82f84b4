"""Faults in how a worker keeps what belongs to its whole process."""

from __future__ import annotations

import contextlib

from ...workers import pool
from ...workers.process import descendants
from ...workers.worker.process_state import ProcessState
from ..harness.canary import Canary


def _not_put_back() -> None:
    def restore(self: ProcessState) -> list[str]:
        return []

    ProcessState.restore = restore  # type: ignore[method-assign]


def _not_wrapped() -> None:
    vars(pool)["captured"] = contextlib.nullcontext


def _children_left() -> None:
    vars(descendants)["kill"] = lambda *_: None


CANARIES = (
    Canary(
        "children-left",
        "what a dead worker had started goes on beside the next attempt",
        scenario="rude",
        trips="one-holder",
        plant=_children_left,
    ),
    Canary(
        "state-not-put-back",
        "what a handler changes of its process stays changed",
        scenario="rude",
        trips="process-as-it-was",
        plant=_not_put_back,
    ),
    Canary(
        "stderr-not-wrapped",
        "what handlers write to stderr stands between the lines of the log",
        scenario="rude",
        trips="log-is-json",
        plant=_not_wrapped,
    ),
)
