"""What a look at a store's health found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """One thing that was tried.

    Attributes:
        detail: What was found; on failure, what to do about it.
        warning: It works, but an operator should know.
    """

    name: str
    ok: bool
    detail: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """The steps in the order they were tried; the ones after a failure may be missing."""

    steps: tuple[ProbeStep, ...]

    @property
    def ok(self) -> bool:
        """True when every step succeeded."""
        return all(step.ok for step in self.steps)
