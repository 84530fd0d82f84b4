"""Running scenarios and canaries, each in a process of its own, as many at once as fit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from ..machine.trials import machine
from ..records.invariants import INVARIANTS
from ..records.report import CanaryResult, Finding, Report, Result
from .driver import drive
from .forkserver import Forkserver, Process
from .scenario import Canary, Scenario, canaries

_REFRESH_SECONDS = 0.2
# Most of the time a scenario waits, for processes to start and leases to end.
_LANES_A_CORE = 2
# What a planted fault does may need two processes to meet.
_CANARY_CHANCES = 3
# Some scenarios take seeds in a row, from the one that they are given.
_NEXT_CHANCE = 1_000


class Job:
    """A scenario to run, with a canary or without, and how far it is.

    A canary that was not caught is run again with another seed, up to three times in all.

    Attributes:
        state: "waiting", "running" or "ended".
        done: From 0 to 1.
        words: What it is at.
    """

    def __init__(
        self, scenario: Scenario, size: Mapping[str, float], result: Result, canary: Canary | None
    ) -> None:
        self.scenario = scenario
        self.canary = canary
        self.result = result
        self.state = "waiting"
        self.done = 0.0
        self.words = ""
        self.line: Connection
        self._process: Process
        self._size = dict(size)
        self._chances = 1 if canary is None else _CANARY_CHANCES

    @property
    def name(self) -> str:
        return self.scenario.name if self.canary is None else f"canary {self.canary.name}"

    @property
    def alone(self) -> bool:
        return self.scenario.alone and self.canary is None

    @property
    def ok(self) -> bool:
        """True when all held, when the canary was caught, or when nothing can be said."""
        if self.canary is None:
            return self.result.ok
        return bool(self.result.skipped) or self.caught

    @property
    def caught(self) -> bool:
        """True when none of the canary's invariants held."""
        found = {finding.invariant for finding in self.result.findings}
        return self.canary is not None and found.issuperset(self.canary.trips)

    @property
    def verdict(self) -> str:
        """In a word."""
        if not self.ok:
            return "failed"
        return "not run" if self.result.skipped else "ok"

    def start(self, folder: Path, forkserver: Forkserver) -> None:
        """Begin, in a folder of its own below this one."""
        self._chances -= 1
        self.line, far_end = Pipe()
        with far_end, _undisturbed():
            self._process = forkserver.start(
                drive,
                self.scenario,
                self.result,
                folder / self.name.replace("canary ", f"canary-{self._chances}-").replace("/", "-"),
                self._size,
                None if self.canary is None else self.canary.fault.name,
                fds=(far_end.fileno(),),
            )
            self.state = "running"

    def kill(self) -> None:
        """End it at once; what it has started dies with it."""
        self._process.kill()

    def hear(self) -> None:
        """Take one message of its process."""
        try:
            kind, *facts = self.line.recv()
        except EOFError:
            self._process.join()
            code = self._process.exit_code
            self.result.findings.append(
                Finding("runs-through", f"the scenario's process ended with {code}")
            )
            self._end()
            return
        if kind == "progress":
            self.done, self.words = facts
        else:
            (self.result,) = facts
            self._end()

    def _end(self) -> None:
        self.line.close()
        self._process.join()
        if self._chances and not self.ok:
            self.result = Result(self.scenario.name, self.result.seed + _NEXT_CHANCE)
            self.state = "waiting"
        else:
            self.state, self.done, self.words = "ended", 1.0, self.result.says


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait: a process that nobody knows of yet is killed by nobody."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_all(
    scenarios: Sequence[Scenario],
    *,
    seed: int,
    profile: str,
    folder: Path,
    instead: Mapping[str, float],
    watch: Callable[[Sequence[Job]], None],
) -> Report:
    """Run scenarios, and their canaries.

    Args:
        folder: Where the stores are made; the disk that is put to the test. What a scenario
            that failed has made stays there.
        instead: Sizes by name in place of the profile's, for scenarios that have such a size.
        watch: Called a few times a second.
    """
    began, started_at = time.monotonic(), datetime.now(UTC)
    where = machine(folder)
    options = f" --seed {seed} --profile {profile}"
    options += "".join(f" --{name} {value:g}" for name, value in instead.items())
    replay = {each.name: f"fencepost stress {each.name}{options}" for each in scenarios}
    jobs = []
    for scenario in scenarios:
        size = {key: instead.get(key, value) for key, value in scenario.size(profile).items()}
        result = Result(scenario.name, seed, replay=replay[scenario.name])
        jobs.append(Job(scenario, size, result, None))
    for canary in (each for scenario in scenarios for each in canaries(scenario)):
        result = Result(canary.scenario.name, seed)
        jobs.append(Job(canary.scenario, canary.scenario.size("canary"), result, canary))
    with Forkserver.begin({each.run.__module__ for each in scenarios}) as forkserver:
        _run(jobs, folder, forkserver, watch)
    return Report(
        seed=seed,
        profile=profile,
        started_at=started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(time.monotonic() - began, 1),
        machine=where,
        invariants=INVARIANTS | {n: s for each in scenarios for n, s in each.invariants.items()},
        results=[job.result for job in jobs if job.canary is None],
        canaries=[
            _canary_result(job, job.canary, replay[job.scenario.name])
            for job in jobs
            if job.canary is not None
        ],
    )


def _run(
    jobs: Sequence[Job],
    folder: Path,
    forkserver: Forkserver,
    watch: Callable[[Sequence[Job]], None],
) -> None:
    lanes = _LANES_A_CORE * len(os.sched_getaffinity(0))
    waiting = sorted(jobs, key=lambda job: not job.alone)
    running: list[Job] = []
    try:
        while waiting or running:
            while waiting and len(running) < (1 if waiting[0].alone else lanes):
                running.append(waiting.pop(0))
                running[-1].start(folder, forkserver)
                if running[-1].alone:
                    break
            heard = wait([job.line for job in running], _REFRESH_SECONDS)
            for job in [job for job in running if job.line in heard]:
                job.hear()
            waiting += [job for job in running if job.state == "waiting"]
            running = [job for job in running if job.state == "running"]
            watch(jobs)
    finally:
        for job in jobs:
            if job.state == "running":
                job.kill()


def _canary_result(job: Job, canary: Canary, replay: str) -> CanaryResult:
    return CanaryResult(
        name=canary.name,
        about=canary.fault.about,
        scenario=canary.scenario.name,
        invariant=", ".join(canary.trips),
        caught=job.caught,
        seconds=round(job.result.seconds, 1),
        seed=job.result.seed,
        skipped=job.result.skipped,
        instead=[] if job.ok else job.result.findings,
        replay=replay,
    )
