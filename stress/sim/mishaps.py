"""What befalls the processes of a simulated store, and their machine.

The seed says which fault is met, and when: a process is killed, or the power is lost, also in
the middle of a read or a write; the disk is full, or fails; a process is paused; the wall clock
steps.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ...store import connect
from ...store.errors import FencepostError
from ..sqlite.disk.disk import Disk
from ..sqlite.disk.errors import ERRORS, KINDS
from .calls import PASSING, UPKEEP, Calls
from .process import Call, Process
from .verdict import Broken

_BUSY_SECONDS = 0.05
# The reads, writes and syncs of most calls.
_OPERATIONS = 40
# How often each kind of them fails, of KINDS: the rare ones in vain for the most part.
_OFTEN = (6, 4, 1, 3, 1, 1)


class Crash(BaseException):
    """The process was killed."""


class PowerLoss(BaseException):
    """The machine lost its power."""


class Mishaps(Calls):
    """Processes that start, die and start again, on a machine that fails."""

    def __init__(self, seed: int, folder: Path, disk: Disk) -> None:
        super().__init__(seed, str(folder / "store.db"), disk)
        self.processes = [Process(number + 1) for number in range(self.config.processes)]
        self._pids = 100
        self._ends = 0  # of processes and of power, at an operation of the disk
        self._in_flight: list[tuple[Call, int]] = []
        self._dying = ExitStack()
        self._armed = False  # processes are overtaken, and die

    def _start(self, process: Process) -> bool:
        """Start a process; False when it could not open the store."""
        self._pids += 1
        process.pid = self._pids
        met, armed = self.disk.met, self._armed
        self._armed = False  # one that dies with half a store in its hands cannot close it
        with self.machine.running(process.pid):
            try:
                process.store = connect(self.path, clock=self.machine, busy_timeout=_BUSY_SECONDS)
            except Crash:
                self._kill(process)
            except FencepostError as error:
                befell = self.disk.met != met or self.machine.hog or self.running
                if not befell or error.code not in PASSING:
                    invariant = "integrity" if error.code == "store_corrupt" else "typed-errors"
                    raise Broken(invariant, f"open: {error.code}: {error}") from error
            finally:
                self._armed = armed
            if process.store is None:
                return False
            # Still as this process: one that it overtakes in its transaction read another time.
            self.offset_ms = process.store.engine.clock.now_ms() - self.machine.boot
        return True

    def _under_way(self, process: Process) -> list[tuple[Call, int]]:
        if process.call in (None, UPKEEP):
            return []
        assert process.call is not None
        return [(process.call, self.machine.read_ms + self.offset_ms)]

    def _befall(self) -> None:
        """Do what the seed says of this step, or make ready for it."""
        kind, process = self.random.random(), self.random.choice(self.processes)
        if kind < 0.012:
            self._restart(self.random.choice(("power loss", "all killed", "all closed")))
        elif kind < 0.03:
            process.awake_at = self.machine.boot + self.random.randrange(100_000)
            self.faults["pause"] += 1
        elif kind < 0.035:
            self.machine.wall += self.random.choice((-1, 1)) * self.random.randrange(10**8)
            self.faults["wall clock step"] += 1
        elif kind < 0.04:
            self.machine.hog = 0 if self.machine.hog else self.random.randrange(4 << 20)
            self.faults["full disk"] += bool(self.machine.hog)
        elif kind < 0.05:
            self._kill(process)
        elif kind < 0.06:
            self._inject_end(self._crash)
        elif kind < 0.07:
            self._inject_end(self._lose_power)
        elif kind < 0.11:
            (what,) = self.random.choices(KINDS, _OFTEN)
            nth = self.random.randint(1, 8) if what in ("read", "write") else 1
            error = self.random.choice(ERRORS[what])
            self.disk.inject(what, nth, error, for_ever=self.random.random() < 0.3)

    def _inject_end(self, end: Callable[[], None]) -> None:
        def meet() -> None:
            self._ends += 1
            end()

        self.disk.inject(KINDS, self.random.randint(1, _OPERATIONS), meet)

    def _crash(self) -> None:
        self._dying.enter_context(self.disk.killed())
        raise Crash

    def _lose_power(self) -> None:
        self._dying.enter_context(self.disk.killed())
        raise PowerLoss

    def _kill(self, process: Process) -> None:
        """End a process; find out whether what it was at was done."""
        self.faults["crash"] += 1
        self.note(process, "killed", process.call)
        calls = self._under_way(process)
        self.disk.heal()
        with self.disk.killed():
            self._close(process)
        self._dying.close()
        if self.machine.holder == process.pid:
            self.machine.holder = 0
        self.judge.now = self.now
        self.judge.see()
        for call, at in calls:
            self.judge.unanswered(call, at)

    def _restart(self, why: str) -> None:
        """End all processes, and the machine with them when the power is lost; start anew."""
        self._armed = False  # nobody acts before it is known what is left
        rebooted, before = False, self.now
        while True:
            self.faults[why] += 1
            self.note(why)
            self.disk.heal()
            if why == "all closed":
                self._close_all()
            elif why == "all killed":
                with self.disk.killed():
                    self._close_all()
            else:
                self._reboot()
                rebooted = True
            self._dying.close()
            self.machine.holder = 0
            if self._start_again():
                break
            why = "power loss"
        calls, self._in_flight = self._in_flight, []
        self.judge.now = max(before, self.now)
        self.judge.ended(calls, rebooted=rebooted)
        self._armed = True

    def _reboot(self) -> None:
        with self.disk.lose_power(self.random):
            self._close_all()
        for process in self.processes:
            process.awake_at = 0
        if self.random.random() < 0.3:  # and somebody sets the clock
            self.machine.wall += self.random.choice((-1, 1)) * self.random.randrange(10**7)
        self.machine.reboot(self.random.randrange(60_000))

    def _start_again(self) -> bool:
        """Start a process; False when the power was lost once more meanwhile."""
        if self.random.random() < 0.1:
            self._inject_end(self._lose_power)
        try:
            while not self._start(self.processes[0]):
                self.disk.heal()
                self.machine.hog = 0
        except PowerLoss:
            return False
        return True

    def _close(self, process: Process) -> None:
        if process.store is not None:
            with self.machine.running(process.pid):
                process.store.close()
        process.forget()

    def _close_all(self) -> None:
        for process in self.processes:
            self._close(process)
        self.judge.close()
