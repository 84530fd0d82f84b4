"""Runs of a scenario that are over soon."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fencepost.stress.discovery import INVARIANTS
from fencepost.stress.harness.driver import perform
from fencepost.stress.harness.forkserver import Forkserver
from fencepost.stress.harness.run import Run
from fencepost.stress.harness.scenario import Scenario
from fencepost.stress.records.report import Result


class Tiny:
    """Runs scenarios in this process, each in the test's folder."""

    def __init__(self, folder: Path, forkserver: Forkserver) -> None:
        self._folder = folder
        self._forkserver = forkserver

    def __call__(
        self,
        scenario: Scenario,
        size: Mapping[str, float],
        *,
        seed: int = 1,
        canary: str | None = None,
    ) -> Result:
        result = Result(scenario.name, seed)
        perform(scenario, self.run(result, size, canary=canary))
        return result

    def run(
        self, result: Result, size: Mapping[str, float] | None = None, *, canary: str | None = None
    ) -> Run:
        """Return a run that reports to `result`."""
        return Run(
            result,
            self._folder,
            size or {},
            forkserver=self._forkserver,
            invariants=INVARIANTS,
            canary=canary,
        )
