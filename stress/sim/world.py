"""One life of a simulated store: what the processes do, and the end.

Of each step the seed says who acts, what it does, and which fault it meets on the way. A
process may be held up before it gets the write lock, or while it has it, and others act
meanwhile. After each call the reference says what the answer had to be.
"""

from __future__ import annotations

from pathlib import Path

from ..sqlite.disk.disk import Disk
from . import actors, effects
from .mishaps import Crash, Mishaps, PowerLoss
from .process import Process
from .verdict import Broken

_COMPARE_EVERY = 10
_MOST_AT_ONCE = 3


class World(Mishaps):
    """A machine, its processes and their store.

    Attributes:
        simulated_ms: How much time went by.
    """

    def __init__(self, seed: int, folder: Path, disk: Disk) -> None:
        super().__init__(seed, folder, disk)
        self.simulated_ms = 0
        self.machine.before_lock = lambda: self._meanwhile(0.1)
        self.machine.within_lock = lambda: self._meanwhile(0.01)
        self.machine.after_lock = lambda: self._meanwhile(0.0)

    # the life

    def live(self, steps: int) -> None:
        """Live so many steps, come to rest, and look at what is left.

        Raises:
            Broken: An invariant does not hold.
        """
        with self.machine.in_use():
            try:
                self._begin()
                for step in range(steps):
                    self._step()
                    if step % _COMPARE_EVERY == 0:
                        self.compare(f"at step {step}")
                self._come_to_rest()
            finally:
                self._end()

    def _begin(self) -> None:
        first = self.processes[0]
        self._start(first)
        store = first.store
        assert store is not None
        with self.machine.running(first.pid):
            with store.transaction() as tx:
                tx.execute(effects.CREATE)
            actors.prepare(self, store)
        self.judge.open()
        self._armed = True

    def _step(self) -> None:
        self._pass_time()
        try:
            self._befall()
            process = self._somebody()
            if process is not None:
                self._act(process)
        except PowerLoss:
            self._restart("power loss")
        finally:
            self.disk.heal()

    def _come_to_rest(self) -> None:
        """Work off all that is there, and look at the whole."""
        self._armed = False
        self.machine.hog = 0
        first = self.processes[0]
        if first.store is None:
            self._start(first)
        store = first.store
        assert store is not None
        with self.machine.running(first.pid):
            actors.drain(self, first)
            self.compare("at the end")
            self.judge.checked["integrity"] += 1
            for step in (store.engine.upkeep.integrity(), *store.engine.upkeep.audit()):
                if not step.ok:
                    raise Broken("integrity", f"{step.name}: {step.detail}")

    def _end(self) -> None:
        self._armed = False
        self.faults["I/O error"] = self.disk.met - self._ends
        self.disk.heal()
        self._dying.close()
        with self.disk.killed():
            self._close_all()

    def _pass_time(self) -> None:
        kind = self.random.random()
        if kind < 0.6:
            some = self.random.randrange(50)
        elif kind < 0.8:
            some = self.random.randrange(2_000)
        elif kind < 0.9:
            some = self.random.randrange(30_000)
        else:  # to a moment at which something happens, or beside it
            ahead = sorted(at - self.now for at in self.model.moments() if at > self.now)
            edge = ahead[: 1 + self.random.randrange(3)]
            some = max(0, edge[-1] + self.random.randrange(-1, 2)) if edge else 0
        self.machine.pass_time(some)
        self.simulated_ms += some

    # what processes do

    def _somebody(self) -> Process | None:
        free = [
            process
            for process in self.processes
            if process.awake_at <= self.machine.boot and process not in self.running
        ]
        return self.random.choice(free) if free else None

    def _act(self, process: Process, rival: Process | None = None) -> None:
        if process.store is None and not self._start(process):
            return
        self.running.append(process)
        with self.machine.running(process.pid):
            try:
                actors.act(self, process, rival)
            except Crash:
                self._kill(process)
            except PowerLoss:
                self._in_flight += self._under_way(process)
                raise
            finally:
                self.running.pop()

    def hesitate(self) -> None:
        self._meanwhile(0.1)

    def _meanwhile(self, chance: float) -> None:
        if not self._armed or self.disk.muted or not self.running:
            return
        kind = self.random.random()
        if kind < 0.003:
            self._crash()
        if kind > 1 - chance and len(self.running) < _MOST_AT_ONCE:
            self.compare("in the middle of a call")
            for _ in range(self.random.randint(1, 3)):
                self._pass_time()
                other = self._somebody()
                if other is not None:
                    self._act(other, self.running[-1])
