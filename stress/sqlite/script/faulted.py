"""A script whose disk fails, loses power or is killed at one operation after the other."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from ....store import connect
from ....store.errors import FencepostError, OutcomeUnknown
from ....store.store import Store
from ...machine.clocks import WALL, Machine
from ...machine.forked import forked
from ..disk.disk import Disk
from ..disk.errors import ERRORS, KINDS, Kind, error_of
from .script import Script, Step
from .state import State, differences, look

_STEPS_AFTER = 2
_IMAGES = 12
_MOST_TOLD = 3  # findings of one kind, of one workload


class _Point(NamedTuple):
    kind: Kind
    nth: int
    error: str
    for_ever: bool

    def __str__(self) -> str:
        return f"{self.error} at {self.kind} {self.nth}{' and all after it' * self.for_ever}"


class _OtherWay(Exception):
    """The script cannot go on as its reference did; it was told why."""


class Work:
    """One script, taken again and again with a fault at another place each time.

    Attributes:
        done: How many operations of each kind it takes.
        met: How many faults of each kind were met.
    """

    def __init__(self, here: Disk, path: Path, seed: str, steps: int) -> None:
        self._here = here
        self._path = path
        self._seed = seed
        self.met: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.found: list[tuple[str, str]] = []
        self._told: Counter[str] = Counter()
        self._reference: list[Step] = []
        script = self._begin()
        for _ in range(steps):
            step = script.next()
            script.take(step)
            with here.spared():
                step.after = _loosely(look(script.store))
            self._reference.append(step)
        script.close()
        self.done = here.done.copy()

    def report(self) -> dict[str, Any]:
        """Return what there is to say since it was last asked."""
        facts = {"met": self.met, "checked": self.checked, "found": self.found}
        self.met, self.checked, self.found = Counter(), Counter(), []
        return facts

    def points(self) -> list[_Point]:
        """Return every fault of every operation."""
        return [
            _Point(kind, nth, error, for_ever)
            for kind, errors in ERRORS.items()
            for nth in range(1, self.done[kind] + 1)
            for error in errors
            for for_ever in (False, True)
        ]

    def fail(self, point: _Point) -> None:
        """Have an operation fail; go on as soon as somebody was told."""
        left = len(self._reference)
        with self._script() as script:
            self._here.inject(point.kind, point.nth, point.error, for_ever=point.for_ever)
            for number, step, reference in self._steps(script):
                told = self._take(script, step, reference, str(point))
                if told is not None:
                    self._check_told(script, number, told, str(point))
                    self._here.heal()
                    self._take_again(script, step, reference, str(point))
                if self._here.met:
                    self._check(script, reference, str(point))
                    left = min(left, _STEPS_AFTER)
                if not left:
                    break
                left -= 1
            self._here.heal()
            script.close()
            self._reopen(reference.after, reference.after, str(point))
        self.met[point.error] += bool(self._here.met)

    def come_back(self, nth: int) -> None:
        """Have a commit fail in its sync, and yet be found by whoever opens the file next."""
        where = f"sync {nth} that failed, and all written there after all"
        with self._script() as script, ExitStack() as stack:

            def fail() -> None:
                # Nothing is cleared away by who closes it, as if another had the file open.
                stack.enter_context(self._here.killed())
                self._here.inject("open", 1, stack.close)
                raise error_of("sync", "EIO")

            self._here.inject("sync", nth, fail)
            for number, step, reference in self._steps(script):
                told = self._take(script, step, reference, where)
                if self._here.met:
                    stack.close()
                    self._here.heal()
                if told is not None:
                    self._check_told(script, number, told, where)
                    self._take_again(script, step, reference, where)
                if self._here.met:
                    self._check(script, reference, where)
        self.met["sync that came back"] += 1

    def lose_power(self, nth: int, random: Random) -> None:
        """Have a sync fail, and lose power then and there, and some steps after it."""
        for steps_after in range(_STEPS_AFTER + 1):
            where = f"sync {nth} that failed, and a power loss {steps_after} steps later"
            with self._script() as script:
                self._here.inject("sync", nth, "EIO")
                before, after = self._until_failed(script, steps_after, where)
                images = list(self._here.images(random, _IMAGES))
                with self._here.killed():
                    script.close()
                for image in images:
                    self._here.replace(image)
                    self._reopen(before, after, where, reboots=1)
                self.met["failed sync, then power loss"] += len(images)

    def kill(self, nth: int) -> None:
        """Kill a process at an operation, and open what it leaves."""
        self._here.replace({})
        acked, writes = os.pipe()
        code = forked(self._be_killed, nth, writes)
        os.close(writes)
        with os.fdopen(acked, "rb") as lines:
            count = len(lines.read())
        where = f"SIGKILL at operation {nth}"
        if code == -signal.SIGKILL:
            self.met["SIGKILL"] += 1
        else:
            self._tell("typed-errors", f"{where}: the process ended with {code}")
        before = self._reference[count - 1].after if count else {}
        after = self._reference[min(count, len(self._reference) - 1)].after
        self._reopen(before, after, where)

    def _be_killed(self, nth: int, acked: int) -> None:
        script = self._begin()
        self._here.inject(KINDS, nth, lambda: signal.raise_signal(signal.SIGKILL))
        for _, step, _ in self._steps(script):
            script.take(step)
            os.write(acked, b".")
            with self._here.spared():
                look(script.store)
        script.close()

    def _begin(self) -> Script:
        self._here.heal()
        self._here.replace({})
        self._here.done.clear()
        self._here.met = 0
        return Script(str(self._path), Random(self._seed), Machine(WALL), most_claims=1)

    @contextmanager
    def _script(self) -> Iterator[Script]:
        """Give a script, on an empty disk, until it goes another way than the reference."""
        script = self._begin()
        try:
            with suppress(_OtherWay):
                yield script
        finally:
            self._here.heal()
            script.close()

    def _steps(self, script: Script) -> Iterator[tuple[int, Step, Step]]:
        for number, reference in enumerate(self._reference):
            yield number, script.next(), reference

    def _take(self, script: Script, step: Step, reference: Step, where: str) -> Exception | None:
        """Take a step; return what it raised."""
        self.checked["typed-errors"] += 1
        try:
            answer = script.take(step)
        except FencepostError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, it should have a type of ours
            self._tell("typed-errors", f"{where}: {step.name} raised {error!r}")
            return error
        if step.name == "claim" and self._here.met and not answer and reference.answer:
            # The store claimed again by itself, and found it claimed.
            return OutcomeUnknown("what was claimed comes back when the lease ends")
        self._check_answer(step, reference, where)
        return None

    def _take_again(self, script: Script, step: Step, reference: Step, where: str) -> None:
        try:
            script.take(step, again=True)
        except Exception as error:
            self._tell("same-answer", f"{where}: {step.name} again raised {error!r}")
            raise _OtherWay from error
        self._check_answer(step, reference, where)

    def _check_answer(self, step: Step, reference: Step, where: str) -> None:
        self.checked["same-answer"] += 1
        if step.answer != reference.answer:
            self._tell(
                "same-answer", f"{where}: {step.name} is {step.answer!r}, not {reference.answer!r}"
            )
            raise _OtherWay

    def _check_told(self, script: Script, number: int, told: Exception, where: str) -> None:
        """After an error there is what it says: all or nothing, or nothing."""
        if not script.opened:
            return
        before = self._reference[number - 1].after if number else {}
        after = self._reference[number].after if isinstance(told, OutcomeUnknown) else before
        with self._here.spared():
            self._compare(script.store, before, after, f"{where}: after {told!r}")

    def _check(self, script: Script, reference: Step, where: str) -> None:
        if script.opened:
            with self._here.spared():
                self._compare(script.store, reference.after, reference.after, where)

    def _until_failed(self, script: Script, steps_after: int, where: str) -> tuple[State, State]:
        """Take steps until one failed and some after it; return what there may be then."""
        before: State = {}
        for number, step, reference in self._steps(script):
            told = self._take(script, step, reference, where)
            if not self._here.met:
                before = reference.after
                continue
            if told is not None and not steps_after:
                unknown = isinstance(told, OutcomeUnknown) or not script.opened
                return before, self._reference[number].after if unknown else before
            if told is not None:
                self._take_again(script, step, reference, where)
            before = reference.after
            if not steps_after:
                break
            steps_after -= 1
        return before, before

    def _reopen(self, before: State, after: State, where: str, *, reboots: int = 0) -> None:
        clock = Machine(WALL)
        for _ in range(reboots):
            clock = clock.rebooted()
        try:
            with self._here.spared(), connect(self._path, clock=clock) as store:
                self._compare(store, before, after, where)
                for step in (store.engine.upkeep.integrity(), *store.engine.upkeep.audit()):
                    self.checked["integrity"] += 1
                    if not step.ok:
                        self._tell("integrity", f"{where}: {step.name}: {step.detail}")
        except FencepostError as error:
            self._tell("integrity", f"{where}: it cannot be opened: {error!r}")

    def _compare(self, store: Store, before: State, after: State, where: str) -> None:
        for invariant in ("nothing-lost", "nothing-unexpected", "effects-once"):
            self.checked[invariant] += 1
        try:
            seen = _loosely(look(store))
        except Exception as error:  # noqa: BLE001 - there was nothing in its way
            self._tell("integrity", f"{where}: it cannot be read: {error!r}")
            return
        for invariant, what in differences(seen, before, after):
            self._tell(invariant, f"{where}: {what}")

    def _tell(self, invariant: str, what: str) -> None:
        self._told[invariant] += 1
        if self._told[invariant] <= _MOST_TOLD:
            self.found.append((invariant, what))


def _loosely(state: State) -> State:
    """Leave out of deliveries how often they were claimed: a claim may have been lost."""
    return {
        name: value[0] if name.startswith("message ") else value for name, value in state.items()
    }
