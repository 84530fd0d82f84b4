"""One run of a scenario: where it works, what it is to do, and what it reports."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..records.invariants import INVARIANTS
from ..records.report import Finding, Result
from .child_processes import Child
from .forkserver import Forkserver

_MOST_FINDINGS_OF_EACH = 5


class Run:
    """What a scenario is given.

    Attributes:
        folder: Its own and empty. It is kept when an invariant did not hold.
        seed: Of all that is random, `random` of this process and Me.random of children.
        size: The counts and seconds of its profile, by name.
        canary: The name of the fault that is planted, which its children plant by themselves.
    """

    def __init__(
        self,
        result: Result,
        folder: Path,
        size: Mapping[str, float],
        *,
        forkserver: Forkserver,
        invariants: Collection[str] = INVARIANTS.keys(),
        canary: str | None = None,
        on_progress: Callable[[float, str], None] = lambda done, words: None,
    ) -> None:
        self.folder = folder
        self.size = size
        self.canary = canary
        self.seed = result.seed
        self.random = random.Random(f"{result.seed}/{result.name}")
        self.children: list[Child] = []
        self._forkserver = forkserver
        self._result = result
        self._invariants = invariants
        self._on_progress = on_progress

    def start(self, name: str, entry: Callable[..., None], *arguments: Any) -> Child:
        """Start a child process that calls entry(me, *arguments); see fleet.Me."""
        child = Child(
            name,
            entry,
            arguments,
            forkserver=self._forkserver,
            folder=self.folder,
            seed=f"{self.seed}/{self._result.name}",
            canary=self.canary,
        )
        self.children.append(child)
        return child

    def progress(self, done: float, words: str = "") -> None:
        """Say how far it is: `done` from 0 to 1."""
        self._on_progress(done, words)

    def checked(self, invariant: str, times: int = 1) -> None:
        """Count that an invariant was looked at."""
        assert invariant in self._invariants, invariant
        self._result.checked[invariant] = self._result.checked.get(invariant, 0) + times

    def broken(self, invariant: str, what: str) -> None:
        """Report that an invariant does not hold; of each, only the first few are kept."""
        assert invariant in self._invariants, invariant
        findings = self._result.findings
        if sum(found.invariant == invariant for found in findings) < _MOST_FINDINGS_OF_EACH:
            findings.append(Finding(invariant, what))

    def check(self, invariant: str, holds: bool, what: str) -> None:
        """Look at an invariant once; `what` says what was seen when it does not hold."""
        self.checked(invariant)
        if not holds:
            self.broken(invariant, what)

    def add(self, checked: Mapping[str, int], findings: Iterable[Finding]) -> None:
        """Take over what the checker says of a history."""
        for invariant, times in checked.items():
            self.checked(invariant, times)
        for finding in findings:
            self.broken(finding.invariant, finding.what)

    def fault(self, kind: str, times: int = 1) -> None:
        """Count that a fault was injected."""
        self._result.faults[kind] = self._result.faults.get(kind, 0) + times

    def figure(self, name: str, value: Any) -> None:
        """Report a figure, its unit at the end of its name."""
        self._result.figures[name] = value

    def says(self, words: str) -> None:
        """Sum the figures up in one short line."""
        self._result.says = words

    def skip(self, why: str) -> None:
        """Say that this machine cannot run it: that is neither a pass nor a failure."""
        self._result.skipped = why
        self.says(why)

    @property
    def has_findings(self) -> bool:
        return bool(self._result.findings)
