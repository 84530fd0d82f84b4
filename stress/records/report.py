"""What a run of `fencepost stress` found, as it is printed, drawn and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """An invariant that did not hold."""

    invariant: str
    what: str


class Result(msgspec.Struct):
    """What became of one run of a scenario.

    Attributes:
        seed: Reproduces it; see `replay`.
        says: Its figures in a few words.
        figures: By name, the unit at its end.
        faults: How many of each kind were injected.
        checked: How often each invariant was looked at.
        skipped: Why this machine cannot run it, "" when it can.
    """

    name: str
    seed: int
    seconds: float = 0.0
    says: str = ""
    figures: dict[str, Any] = {}
    faults: dict[str, int] = {}
    checked: dict[str, int] = {}
    findings: list[Finding] = []
    replay: str = ""
    skipped: str = ""

    @property
    def ok(self) -> bool:
        return not self.findings

    @property
    def verdict(self) -> Literal["ok", "failed", "not run"]:
        if self.findings:
            return "failed"
        return "not run" if self.skipped else "ok"


class CanaryResult(msgspec.Struct):
    """What became of a fault that was planted: it has to be caught by its invariant.

    Attributes:
        seed: Of its last try, which all else here is of.
        skipped: Why this machine cannot run its scenario, "" when it can.
        instead: What was found in its place.
        replay: Makes the same tries, beside the scenario itself.
    """

    name: str
    about: str
    scenario: str
    invariant: str
    caught: bool
    seconds: float
    seed: int
    skipped: str = ""
    instead: list[Finding] = []
    replay: str = ""

    @property
    def ok(self) -> bool:
        return self.verdict != "missed"

    @property
    def verdict(self) -> Literal["caught", "missed", "not run"]:
        if self.skipped:
            return "not run"
        return "caught" if self.caught else "missed"


class Machine(msgspec.Struct):
    """Where it ran.

    Attributes:
        fdatasync_p50_ms, fdatasync_p99_ms: Of 4 KB at the end of a file, in the folder that
            the stores were in.
    """

    cores: int
    python: str
    sqlite: str
    system: str
    filesystem: str
    fdatasync_p50_ms: float
    fdatasync_p99_ms: float


class Report(msgspec.Struct):
    """A whole run.

    Attributes:
        invariants: All that may be looked at, by name, in words.
    """

    seed: int
    profile: str
    started_at: str
    seconds: float
    machine: Machine
    results: list[Result]
    canaries: list[CanaryResult]
    invariants: dict[str, str] = {}

    @property
    def ok(self) -> bool:
        """True when all held and was caught, of what could run here; False when nothing could."""
        return (
            all(result.ok for result in self.results)
            and all(canary.ok for canary in self.canaries)
            and not all(result.skipped for result in self.results)
        )

    @property
    def not_run(self) -> str:
        """How many scenarios and canaries this machine could not run, in words; "" of none."""
        verdicts: dict[str, Sequence[str]] = {
            "scenarios": [result.verdict for result in self.results],
            "canaries": [canary.verdict for canary in self.canaries],
        }
        return " and ".join(
            f"{each.count('not run')} of {len(each)} {what}"
            for what, each in verdicts.items()
            if "not run" in each
        )
