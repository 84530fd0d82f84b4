"""The report of a probe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """One check.

    Attributes:
        detail: What was found; after a failure, what to do about it.
        warning: The check passed, but an operator should know.
    """

    name: str
    ok: bool
    detail: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """The checks in the order in which they ran; those after a failure may be missing."""

    steps: tuple[ProbeStep, ...]

    @property
    def ok(self) -> bool:
        """True when every step succeeded."""
        return all(step.ok for step in self.steps)
