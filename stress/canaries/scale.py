"""Faults in how a pool takes on another size, and in what keeps to its limit."""

from __future__ import annotations

from ...store.sqlite.queue import claim
from ...workers.process.process import ManagedProcess
from ...workers.supervisor.sizing import Sizing
from ..harness.canary import Canary


def _never_follows() -> None:
    def look(self: Sizing) -> None:
        pass

    Sizing.look = look  # type: ignore[method-assign]


def _killed_when_too_many() -> None:
    def leave(self: ManagedProcess) -> None:
        self.leaving = True
        self.kill("it is one too many")

    ManagedProcess.leave = leave  # type: ignore[method-assign]


def _one_beyond() -> None:
    claim._PICK = claim._PICK.replace("max_leased - leased", "max_leased - leased + 1")


CANARIES = (
    Canary(
        "never-follows",
        "a supervisor does not look for the size that the store says",
        scenario="scale",
        trips="scales-in-time",
        plant=_never_follows,
    ),
    Canary(
        "killed-when-too-many",
        "workers that are too many are killed, whatever they have in work",
        scenario="scale",
        trips="not-handled-twice",
        plant=_killed_when_too_many,
    ),
    Canary(
        "one-beyond",
        "one more is leased of a queue than its limit says",
        scenario="scale",
        trips="caps-hold",
        plant=_one_beyond,
    ),
)
