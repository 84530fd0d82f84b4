"""Exceptions that a signal's handler raises, at any time within calls."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from ....store import Lease, Store, connect
from ....store.errors import FencepostError, StoreBusy
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ..faulted_calls import LEASE_SECONDS, Fault, Worker, trial

_SHARE = 0.5  # of the calls; the others are to come through
_LATEST_SECONDS = 0.003
_NAMES = ("red", "green", "blue")

# The byte of the -shm file that SQLite locks to write; sqlite.org/walformat.html.
_WRITE_LOCK = "120"


class Interrupted(Exception):
    """A signal's handler raised it, so nobody can say what has become of the call."""

    code = "interrupted"


def run(run: Run) -> None:
    """Interrupt calls, then see what is there."""
    told, calls = trial(run, _work, run.size["interrupts"] / run.size["processes"])
    interrupts = sum(each["interrupts"] for each in told)
    run.fault("interrupts", interrupts)
    run.checked("never-stuck", interrupts)
    for each in told:
        for lock in each["kept"]:
            run.broken("never-stuck", f"{lock} was kept after an interrupt")
    run.says(f"{interrupts} calls interrupted, {len(calls)} in all")


def _work(me: Me, path: str, times: float) -> None:
    interrupts = 0
    kept: set[str] = set()

    def sometimes() -> AbstractContextManager[None]:
        if me.random.random() < _SHARE:
            return alarm(me.random.uniform(1e-6, _LATEST_SECONDS))
        return nullcontext()

    signal.signal(signal.SIGALRM, _interrupt)
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        worker = _Worker(me, store)
        while interrupts < times:
            try:
                worker.step(sometimes)
            except Interrupted:
                interrupts += 1
            except StoreBusy:
                break  # the history has it; whoever comes next would wait as long
            except FencepostError:
                continue
            else:
                continue
            kept |= locks_of(path)
    me.ready(interrupts=interrupts, kept=sorted(kept))


class _Worker(Worker):
    """Has named leases as well."""

    def __init__(self, me: Me, store: Store) -> None:
        super().__init__(me, store)
        self.verbs += [self._acquire, self._free]
        self._leases: list[Lease] = []

    def _acquire(self, fault: Fault) -> None:
        name = self.me.random.choice(_NAMES)
        with self.me.history.begin("acquire", name=name, ttl_ms=LEASE_SECONDS * 1000) as call:
            with fault():
                lease = self.store.leases.acquire(name, ttl=LEASE_SECONDS)
            call.ok(fence=lease.fence)
        self._leases.append(lease)

    def _free(self, fault: Fault) -> None:
        if not self._leases:
            return
        lease = self._leases.pop()
        what = {"name": lease.name, "fence": lease.fence, "ttl_ms": 0}
        with self.me.history.begin("free", **what) as call:
            with fault():
                lease.release()
            call.ok()


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Let SIGALRM come after so many seconds, unless the block has ended by then."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def locks_of(path: str) -> set[str]:
    """Return which of the locks that others wait for this process has."""
    gate, shared = (os.stat(path + end).st_ino for end in ("-gate", "-shm"))
    found = set()
    for line in Path("/proc/locks").read_text().splitlines():
        # 1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF; of one who waits there is an arrow.
        _, kind, _, mode, pid, file, start, *_ = line.split()
        if pid != str(os.getpid()):
            continue
        inode = int(file.rpartition(":")[2])
        if kind == "FLOCK" and inode == gate:
            found.add("the gate")
        elif mode == "WRITE" and start == _WRITE_LOCK and inode == shared:
            found.add("the write lock")
    return found


def _interrupt(*_: object) -> None:
    raise Interrupted


SCENARIO = Scenario(
    "interrupt",
    "a signal handler raises exceptions at any point of calls",
    run,
    sizes={
        "canary": {"processes": 1, "interrupts": 10},
        "ci": {"processes": 3, "interrupts": 200},
        "nightly": {"processes": 3, "interrupts": 5_000},
    },
    canaries={
        "gate-kept": "never-stuck",
    },
    grows=("interrupts",),
)
