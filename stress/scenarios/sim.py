"""Deterministic simulation: lives of a store in a world that is made of a seed.

A life is a machine with a few processes, all of them in one real process: their clocks,
their disk, and when they are overtaken or die is chosen by its seed. The seeds are those
that follow the run's own, so the seed that a finding names replays its life.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

from ..harness.child_processes import Me
from ..harness.run import Run
from ..harness.scenario import PROFILES, Scenario
from ..sim.life import Lives

# How often a child tells of its lives: more and more rarely.
_TELL_SECONDS = (0.5, 60.0)
_PATIENCE_SECONDS = 300.0


def run(run: Run) -> None:
    """Live all lives, in a few real processes, and sum them up."""
    most = int(run.size["lives"])
    count = min(most, int(run.size["processes"]))
    last, size = run.seed + most - 1, dict(run.size)
    children = [run.start(f"{n}", _live, run.seed + n, count, last, size) for n in range(count)]
    began = time.monotonic()
    total: Counter[str] = Counter()
    digests: dict[int, str] = {}
    going = list(children)
    while going:
        for child in list(going):
            told = child.heard(_PATIENCE_SECONDS)
            _add(run, told)
            digests.setdefault(*told["first"])
            total.update(told["counts"])
            total.update(told["faults"])
            if told["ended"]:
                going.remove(child)
        seconds = time.monotonic() - began
        bound = run.size["seconds"]
        run.progress(
            min(1.0, seconds / bound if bound else total["lives"] / most),
            f"{total['lives']} lives, {total['steps']} steps",
        )
        if run.canary and run.has_findings:
            break
    _sum_up(run, total, time.monotonic() - began)
    if not run.canary:
        again = Lives(run.folder, int(run.size["steps"]))
        again.live(run.seed)
        run.check(
            "reproducible",
            again.digest == digests[run.seed],
            f"seed {run.seed} was lived twice, and not in the same way",
        )
    run.figure("processes", count)


def _live(me: Me, first: int, stride: int, last: int, size: dict[str, float]) -> None:
    """Live the lives of every `stride`th seed, and tell of them now and then."""
    lives = Lives(me.folder, int(size["steps"]))
    began = told = time.monotonic()
    seed = first
    digest = ""
    while True:
        lives.live(seed)
        digest = digest or lives.digest
        now = time.monotonic()
        seed += stride
        if now - began >= size["seconds"] if size["seconds"] else seed > last:
            break
        if now - told >= min(max(_TELL_SECONDS[0], (now - began) / 100), _TELL_SECONDS[1]):
            told = now
            me.ready(**lives.take(), first=(first, digest), ended=False)
    me.ready(**lives.take(), first=(first, digest), ended=True)


def _add(run: Run, told: dict[str, Any]) -> None:
    for kind, times in told["faults"].items():
        run.fault(kind, times)
    for invariant, times in told["checked"].items():
        run.checked(invariant, times)
    for seed, invariant, what in told["findings"]:
        again = f"fencepost stress sim --seed {seed} --profile {_profile(run)}"
        again += " --processes 1 --seconds 0.01"
        run.broken(invariant, f"seed {seed}: {what}\nreplay it alone: {again}")


def _profile(run: Run) -> str:
    """Return a profile whose lives are as long as those of this run."""
    steps = run.size["steps"]
    return next(name for name in PROFILES if SCENARIO.sizes[name]["steps"] == steps)


def _sum_up(run: Run, total: Counter[str], seconds: float) -> None:
    hours = total["simulated_ms"] / 3_600_000
    each = 1000 * total["steps"] / max(1, total["milliseconds"])
    run.figure("lives", total["lives"])
    run.figure("steps", total["steps"])
    run.figure("steps_per_second", round(total["steps"] / seconds))
    run.figure("steps_per_second_per_process", round(each))
    run.figure("simulated_hours", round(hours, 1))
    run.figure("power_losses", total["power loss"])
    run.figure("io_errors", total["I/O error"])
    run.figure("crashes", total["crash"])
    run.says(
        f"{total['lives']:,} lives, {hours:,.0f} simulated hours, {total['steps']:,} steps,"
        f" {each:,.0f} a second in each process"
    )


_CORES = len(os.sched_getaffinity(0))

SCENARIO = Scenario(
    "sim",
    "a simulation of a store with crashes, power losses and I/O errors, by seed",
    run,
    sizes={
        "canary": {"lives": 10, "processes": 1, "steps": 170, "seconds": 0},
        "ci": {"lives": 500, "processes": 2, "steps": 90, "seconds": 0},
        "nightly": {"lives": 50_000, "processes": _CORES, "steps": 170, "seconds": 0},
    },
    canaries={
        "held-by-id-and-state": "stale-refused",
        "commits-not-synced": "nothing-lost",
        "no-cap": "caps-hold",
        "fences-reused": "fences-rise",
        "lanes-by-snapshot": "lane-order",
        "effect-before-ack": "effects-once",
        "dedupe-before": "accepted-once",
        "expired-refused": "holder-not-refused",
    },
    invariants={
        "reproducible": "the same seed gives the same faults",
    },
    grows=("lives",),
)
