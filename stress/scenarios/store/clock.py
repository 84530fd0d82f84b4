"""Clocks that step, slew, stand still and begin anew, around leases that must not notice.

Cases by themselves, in a time that passes when it is told to; then real processes, whose
wall clock is set back and forth while they hold leases, and that a reboot ends.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from ....store import connect
from ....store.errors import LeaseLost
from ...checker import check
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...machine.clocks import (
    HOUR,
    SECOND,
    Y2038,
    YEAR,
    FaultyClock,
    Machine,
    library,
    preloaded,
    set_boot,
    set_wall,
)
from ...records.history import Recorder, now_ns, read
from . import leases

LONGEST_MS = 60_000

_EIGHTH_MS = 125  # of a second, which a float has without a rest
_NOW = 1_800_000_000_000
_QUEUE = "jobs"
_NAMES = 3
_KEPT_SECONDS = 600
_STEP_EVERY_SECONDS = (0.03, 0.2)
_STEPS_SECONDS = (1, 60, 3600, 86_400, 365 * 86_400)
_SLEW_SECONDS = 0.003

Fault = Callable[[Machine, random.Random], None]


def _step(ms: int) -> Fault:
    return lambda machine, chance: machine.step(ms)


def _reboot(wall_ms: int) -> Fault:
    def fault(machine: Machine, chance: random.Random) -> None:
        machine.step(wall_ms)
        machine.reboot()

    return fault


FAULTS: dict[str, Fault] = {
    "+1 s": _step(SECOND),
    "-1 s": _step(-SECOND),
    "+1 h": _step(HOUR),
    "-1 h": _step(-HOUR),
    "+1 y": _step(YEAR),
    "-1 y": _step(-YEAR),
    "slew ahead": lambda machine, chance: machine.slew(1 + 500e-6),
    "slew behind": lambda machine, chance: machine.slew(1 - 500e-6),
    "suspend": lambda machine, chance: machine.advance(chance.randrange(2 * LONGEST_MS)),
    "reboot": _reboot(0),
    "reboot, a year back": _reboot(-YEAR),
    "2038": lambda machine, chance: machine.step(Y2038 - SECOND - machine.wall_ms()),
}


def run(run: Run) -> None:
    """Run every fault by itself, then random rows of faults, then real processes."""
    cases = [(name, [fault]) for name, fault in FAULTS.items()]
    for _ in range(int(run.size["random"])):
        names = run.random.choices(list(FAULTS), k=run.random.randint(2, 8))
        cases.append((", then ".join(names), [FAULTS[name] for name in names]))
    for number, (name, faults) in enumerate(cases):
        run.progress(0.5 * number / len(cases), name)
        _Case(run, number, name).run(faults)
    run.figure("cases", len(cases))
    if run.canary and run.has_findings:
        return
    boots, steps = int(run.size["boots"]), int(run.size["steps"])
    _processes(run, boots)
    run.says(f"{len(cases)} cases; {steps} steps of the wall clock in each of {boots} boots")


class _Case:
    """Two processes of a machine of its own, one of which holds what the other wants."""

    def __init__(self, run: Run, number: int, name: str) -> None:
        self._run = run
        self._name = name
        self._path = str(run.folder / f"case-{number}.db")
        self._machine = Machine(_NOW)
        self._fence = 0
        self._open()

    def run(self, faults: list[Fault]) -> None:
        """Let the faults happen one by one, each while something is held."""
        for turn, fault in enumerate(faults):
            self._turn(f"{turn}", fault)
        self._close()

    def _turn(self, name: str, fault: Fault) -> None:
        chance, machine = self._run.random, self._machine
        ttl = _EIGHTH_MS * chance.randint(1, LONGEST_MS // _EIGHTH_MS)
        self._holder.queue(_QUEUE).enqueue(b"", key=name)
        held = self._take(self._holder, name, ttl)
        due = machine.passed + ttl
        machine.advance(chance.randrange(ttl))
        boot = machine.boot_id()
        fault(machine, chance)
        self._run.fault("clock")
        if rebooted := machine.boot_id() != boot:
            self._close()
            self._open()
            due = machine.passed
        elif machine.passed < due and chance.random() < 0.5:
            for each in held:
                self._accepted(each, ttl)
            due = machine.passed + ttl
        if machine.passed < due:
            self._not_before(name, held)
            machine.advance(due - 1 - machine.passed)
            self._not_before(name, held)
            machine.advance(1)
        self._in_time(name, [] if rebooted else held)

    def _open(self) -> None:
        self._holder, self._rival = (
            connect(self._path, clock=self._machine, durability="normal") for _ in range(2)
        )

    def _close(self) -> None:
        self._holder.close()
        self._rival.close()

    def _take(self, store: Any, name: str, ttl: int) -> list[Any]:
        """Return a lease, a claim and a key, as far as they are to be had."""
        seconds = ttl / 1000
        once = store.once("stress", name, lease=seconds)
        found = [
            store.leases.try_acquire(name, ttl=seconds),
            *store.queue(_QUEUE).claim(lease=seconds),
            once if once.claimed else None,
        ]
        return [each for each in found if each is not None]

    def _accepted(self, held: Any, ttl: int) -> None:
        try:
            held.renew(ttl / 1000)
        except LeaseLost as error:
            self._run.broken("holder-not-refused", f"{self._name}: {error}")
        self._run.checked("holder-not-refused")

    def _not_before(self, name: str, held: list[Any]) -> None:
        stolen = self._take(self._rival, name, LONGEST_MS)
        what = f"{self._name}: {stolen} taken before the end of {held}"
        self._run.check("one-holder", not stolen, what)
        lost = [each for each in held if getattr(each, "lost", False)]
        self._run.check(
            "holder-not-refused", not lost, f"{self._name}: {lost} given up before its end"
        )

    def _in_time(self, name: str, held: list[Any]) -> None:
        """Take over what has come to its end, and see the holder refused."""
        taken = self._take(self._rival, name, LONGEST_MS)
        self._run.check(
            "handled-again-in-time", len(taken) == 3, f"{self._name}: of three, only {taken} free"
        )
        for each in taken:
            what = f"{self._name}: fence {each.fence} after {self._fence}"
            self._run.check("fences-rise", each.fence > self._fence, what)
        self._fence = max([self._fence, *(each.fence for each in taken)])
        for each in held:
            if hasattr(each, "lost"):
                self._run.check("holder-knows", each.lost, f"{self._name}: {each} is believed in")
            self._run.check(
                "stale-refused", not _ends(each), f"{self._name}: {each} ended when it was over"
            )
        for each in taken:
            self._run.check(
                "holder-not-refused", _ends(each), f"{self._name}: {each} could not be ended"
            )


def _ends(held: Any) -> bool:
    """End something by its own verb; False when that was refused."""
    end = next(
        getattr(held, verb) for verb in ("ack", "complete", "release") if hasattr(held, verb)
    )
    try:
        end()
    except LeaseLost:
        return False
    return True


def _processes(run: Run, boots: int) -> None:
    """Step and slew the wall clock of processes that hold leases, and reboot."""
    nemesis = Recorder(run.folder / "history", "nemesis")
    fake = library()
    run.figure("wall_clock_by", "libfaketime" if fake else "injection")
    path = str(run.folder / "store.db")
    booted_ms = 0
    for boot in range(boots):
        run.progress(0.5 + 0.5 * boot / boots, f"boot {boot + 1} of {boots}")
        set_wall(run.folder, run.random.choice(_STEPS_SECONDS))
        set_boot(run.folder, f"boot-{boot}", booted_ms)
        _keep_over_reboots(run, path, nemesis)
        with preloaded(fake, run.folder):
            children = [
                run.start(f"{boot}-{n}", _work, path, fake is None)
                for n in range(int(run.size["processes"]))
            ]
        for child in children:
            child.heard()
        for _ in range(int(run.size["steps"])):
            _set_back_and_forth(run)
            time.sleep(run.random.uniform(*_STEP_EVERY_SECONDS))
        _reboot_all(run, children, nemesis)
        booted_ms = now_ns() // 1_000_000 - SECOND
    run.add(*check(read(run.folder / "history")))
    nemesis.close()


def _set_back_and_forth(run: Run) -> None:
    step = run.random.choice((*_STEPS_SECONDS, None))
    if step is None:
        run.fault("slew")
        offsets = [n * _SLEW_SECONDS for n in range(10)]
    else:
        run.fault("step of the wall clock")
        offsets = [run.random.choice((step, -step))]
    for offset in offsets:
        set_wall(run.folder, offset)
        time.sleep(_SLEW_SECONDS)


def _keep_over_reboots(run: Run, path: str, nemesis: Recorder) -> None:
    """Take a lease that would last for long; a reboot has to end it."""
    with connect(path, clock=FaultyClock(run.folder, fakes_wall=True)) as store:
        if store.leases.get("kept") is None:
            leases.prepare(store)
        with nemesis.begin("acquire", name="kept", ttl_ms=_KEPT_SECONDS * 1000) as call:
            kept = store.leases.try_acquire("kept", ttl=_KEPT_SECONDS)
            run.check("handled-again-in-time", kept is not None, "a lease outlived a reboot")
            if kept is not None:
                call.ok(fence=kept.fence)


def _reboot_all(run: Run, children: list[Child], nemesis: Recorder) -> None:
    for child in children:
        nemesis.seen("killed", process=child.name)
        child.kill()
    nemesis.seen("rebooted")
    run.fault("reboot")


def _work(me: Me, path: str, fakes_wall: bool) -> None:
    with connect(path, clock=FaultyClock(me.folder, fakes_wall=fakes_wall)) as store:
        leases.contend(me, store, _NAMES)


SCENARIO = Scenario(
    "clock",
    "wall clock steps and slews, suspends, reboots, 2038; nothing expires early or late",
    run,
    sizes={
        "canary": {"random": 0, "processes": 2, "steps": 3, "boots": 1},
        "ci": {"random": 12, "processes": 3, "steps": 8, "boots": 2},
        "nightly": {"random": 200, "processes": 6, "steps": 80, "boots": 10},
    },
    canaries={
        "leases-by-the-wall": "one-holder",
        "leases-outlive-reboot": "handled-again-in-time",
    },
    grows=("random", "boots"),
)
