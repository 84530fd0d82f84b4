"""Power is lost at every write and sync of a workload, and every image of it is opened.

What comes back must be what was acknowledged, with the step that was under way or without
it, and nothing else; and a fence that it gives out must be greater than all before. While
a share of the images is being recovered, power is lost once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ....store import connect
from ....store.errors import FencepostError
from ....store.store import Store
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import now_and_then
from ...machine.clocks import WALL, Machine
from ..disk.disk import Disk, disk
from ..disk.operations import Image, Op
from ..disk.write_cache import WriteCache
from ..script.script import Script, Step
from ..script.state import State, differences, look

_STEPS = 40
_IMAGES_A_RECOVERY = 10
_INTEGRITY_SHARE = 0.25
_CLAIM_SHARE = 0.25
_AUDIT_SHARE = 0.05
_PROBE = "probe"
_MOST_TOLD = 3  # findings of one kind, of one process


def run(run: Run) -> None:
    """Share the images out among processes, and add up what they found."""
    count = int(run.size["processes"])
    shares = [int(run.size[name]) // count for name in ("images", "second")]
    a_point = int(run.size["images_a_point"])
    children = [run.start(f"{n}", _lose_power, *shares, a_point) for n in range(count)]
    totals: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    at_work = list(children)
    while at_work:
        for child in list(at_work):
            if not (facts := child.heard()):
                continue  # it gets on
            totals.update(facts["totals"])
            steps.update(facts["steps"])
            run.add(facts["checked"], [])
            for invariant, what in facts["found"]:
                run.broken(invariant, what)
            if facts["last"]:
                at_work.remove(child)
        run.progress(totals["images"] / run.size["images"], f"{totals['images']:,} images")
    run.fault("power loss", totals["images"])
    run.fault("power loss in recovery", totals["second"])
    for name, value in totals.items():
        run.figure(name, value)
    run.says(
        f"{totals['images']:,} power losses at {totals['points']:,} points, "
        f"{totals['second']:,} in recovery"
    )


def _lose_power(me: Me, images: int, second: int, a_point: int) -> None:
    seen = losses = 0
    number = 0
    while seen < images or losses < second:
        number += 1
        folder = me.folder / f"{me.name}-{number}"
        folder.mkdir(mode=0o700)
        work = _Work(me, folder / "store.db")
        work.do(images - seen, second - losses, a_point)
        seen += work.totals["images"]
        losses += work.totals["second"]
        me.ready(
            totals=work.totals,
            steps=work.steps,
            checked=work.checked,
            found=work.found,
            last=seen >= images and losses >= second,
        )


class _Expected(NamedTuple):
    """What an image may have: all of `before`, or all of `after`.

    Attributes:
        highest: The greatest fence that was given out.
    """

    before: State
    after: State
    highest: int
    when: str


class _Work:
    """One script, recorded, and the images of it.

    Attributes:
        steps: Images by the name of the step that was going on.
    """

    def __init__(self, me: Me, path: Path) -> None:
        self._random = me.random
        self._gets_on = now_and_then(me.ready)
        self._path = path
        self._clock = Machine(WALL)
        self._with_effect: set[str] = set()
        self.totals: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.found: list[tuple[str, str]] = []

    def do(self, most: int, second: int, a_point: int) -> None:
        """Look at `most` images, and `second` of a second power loss, if there are so many."""
        with disk(recording=True) as here:
            script = Script(str(self._path), self._random, self._clock, most_claims=3)
            marks: list[tuple[int, Step]] = []
            with closing(script):
                for _ in range(_STEPS):
                    step = script.next()
                    script.take(step)
                    step.after = look(script.store)
                    marks.append((len(here.log), step))
            self._with_effect = script.with_effect
            log, here.log = here.log[: marks[-1][0]], []
            cache = WriteCache()
            expected = _expect(marks)
            for op, may in zip(log, expected, strict=True):
                cache.apply(op)
                self.totals["points"] += 1
                newest = op.kind != "sync"
                for image in cache.images(self._random, a_point, newest=newest):
                    if self.totals["images"] >= most:
                        break
                    self._count("images", may)
                    twice = self._random.random() < 0.02 and self.totals["second"] < second
                    self._open(here, image, may, self._clock.rebooted(), then_again=twice)

    def _open(
        self,
        here: Disk,
        image: Image,
        may: _Expected,
        clock: Machine,
        *,
        then_again: bool = False,
    ) -> None:
        self._gets_on()
        here.replace(image)
        # The note in the gate's file is of the image before; wal_owner.py.
        Path(f"{self._path}-gate").unlink(missing_ok=True)
        here.log.clear()
        try:
            store = connect(self._path, clock=clock)
            try:
                seen, fence = self._check(store, may)
                log = list(here.log)
                self._look_closer(store, may, fence)
            finally:
                with here.killed():
                    store.close()
        except FencepostError as error:
            self._tell("integrity", may, f"{type(error).__name__}: {error}")
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it should have a type of ours
            self._tell("typed-errors", may, f"{type(error).__name__}: {error}")
            return
        if then_again:
            when = f"{may.when}, and again in recovery"
            again = _Expected(seen, seen, may.highest, when)
            self._lose_again(here, image, log, again, clock.rebooted())

    def _lose_again(
        self, here: Disk, image: Image, log: list[Op], may: _Expected, clock: Machine
    ) -> None:
        cache = WriteCache(image)
        images: list[Image] = []
        for op in log:
            cache.apply(op)
            images += cache.images(self._random, 2, newest=op.kind != "sync")
        for again in self._random.sample(images, min(len(images), _IMAGES_A_RECOVERY)):
            self._count("second", may)
            self._open(here, again, may, clock)

    def _check(self, store: Store, may: _Expected) -> tuple[State, int]:
        seen = {name: value for name, value in look(store).items() if name != f"lease {_PROBE}"}
        for invariant in ("nothing-lost", "nothing-unexpected", "effects-once"):
            self.checked[invariant] += 1
        for invariant, what in differences(seen, may.before, may.after):
            self._tell(invariant, may, what)
        for key in self._with_effect:
            effects = seen.get(f"effect {key}", 0)
            state = seen.get(f"message {key}", ("missing",))[0]
            if effects != (state == "done"):
                self._tell("effects-once", may, f"{key} is {state}, with {effects} effects")
        fence = store.leases.acquire(_PROBE).fence
        self._check_fence(fence, may.highest, may)
        return seen, fence

    def _look_closer(self, store: Store, may: _Expected, fence: int) -> None:
        if self._random.random() < _CLAIM_SHARE:
            for claim in store.queue("mail").claim(limit=3):
                self._check_fence(claim.fence, fence, may)
        steps = []
        if self._random.random() < _INTEGRITY_SHARE:
            steps.append(store.engine.upkeep.integrity())
        if self._random.random() < _AUDIT_SHARE:
            steps += store.engine.upkeep.audit()
        for step in steps:
            self.checked["integrity"] += 1
            if not step.ok:
                self._tell("integrity", may, f"{step.name}: {step.detail}")

    def _check_fence(self, fence: int, highest: int, may: _Expected) -> None:
        self.checked["fences-rise"] += 1
        if fence <= highest:
            self._tell("fences-rise", may, f"fence {fence} was given out after {highest}")

    def _count(self, what: str, may: _Expected) -> None:
        self.totals[what] += 1
        self.steps[may.when.partition(",")[0]] += 1

    def _tell(self, invariant: str, may: _Expected, what: str) -> None:
        if sum(name == invariant for name, _ in self.found) < _MOST_TOLD:
            self.found.append((invariant, f"power was lost in {may.when}: {what}"))


def _expect(marks: list[tuple[int, Step]]) -> Iterator[_Expected]:
    """Return for each operation of the disk what may be there when power is lost after it."""
    before: State = {}
    position = highest = 0
    for number, (end, step) in enumerate(marks):
        while position < end - 1:
            position += 1
            yield _Expected(before, step.after, highest, f"{step.name}, step {number}")
        if position < end:  # its last operation; it was acknowledged after that
            position += 1
            yield _Expected(step.after, step.after, step.highest, f"{step.name}, step {number}")
        before, highest = step.after, step.highest


SCENARIO = Scenario(
    "power",
    "power is lost at every write and sync, and again during recovery",
    run,
    sizes={
        "canary": {"processes": 1, "images": 1000, "second": 0, "images_a_point": 1},
        "ci": {"processes": 2, "images": 10_000, "second": 200, "images_a_point": 3},
        "nightly": {"processes": 2, "images": 250_000, "second": 5_000, "images_a_point": 3},
    },
    canaries={
        "commits-not-synced": ("nothing-lost", "fences-rise"),
        "nothing-synced": "integrity",
        "effect-before-ack": "effects-once",
    },
    grows=("images", "second"),
)
