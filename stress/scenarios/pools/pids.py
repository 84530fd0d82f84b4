"""A pid that comes again: a worker dies, and the next process to start gets its pid.

In a pid namespace of the scenario's own, where the kernel can be told which pid is next.
Who has the pid now is a stranger, has the store open, or is a worker itself; none of that
may keep what the dead one held.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ....store import Store, connect
from ....store.engine import Hold
from ....store.errors import LeaseHeld
from ...checker import check
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ...machine.forked import exit_after
from ...machine.namespaces import among_own_pids
from ...records.census import integrity
from ...records.history import Recorder, read
from ...workloads import noted
from ...workloads.drain import drain, note_final

# proc_pid_ns(5)
_LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
# Few, so that they come again and again.
_PIDS = range(1000, 1010)

# The ids of a pool and of its worker.
Registered = tuple[int, int]

_NEXT = ("a stranger", "one with the store open", "a worker")
_CLAIM_SECONDS = 600
_LEASE_SECONDS = 0.2


def run(run: Run) -> None:
    """Give dead workers' pids away, so many times, then judge the history."""
    times = int(run.size["reuses"])
    path = run.folder / "store.db"
    child = run.start("namespace", _reuse_each, str(path), times)
    answers = wrong = 0
    for number in range(times):
        facts = child.heard(5 * PATIENCE_SECONDS)  # it waits for others itself
        if "refused" in facts:
            run.skip(facts["refused"])
            return
        run.progress((number + 1) / times, f"pid {facts['pid']} came again")
        run.fault("pid given to another")
        for held, words in facts["verdicts"]:
            run.check("dead-is-dead", held, f"{facts['where']}: {words}")
            answers += 1
            wrong += not held
        run.says(
            f"{number + 1} dead workers' pids given to others,"
            f" {wrong} of {answers} answers about them wrong"
        )
        if run.canary and run.has_findings:
            return
    child.join()
    history = Recorder(run.folder / "history", "end")
    with connect(path) as store:
        drain(store, history, "mail")
        note_final(store, history)
    history.seen("integrity", says=integrity(path))
    history.close()
    run.add(*check(read(run.folder / "history")))
    run.figure("pids", times)


def _reuse_each(me: Me, path: str, times: int) -> None:
    try:
        code = among_own_pids(_reuse, me, path, times)
    except OSError as error:
        me.ready(refused=f"no pid namespace: {error}")
        return
    if code != 0:
        raise RuntimeError(f"the first process of the namespace ended with {code}")


def _reuse(me: Me, path: str, times: int) -> None:
    """Have, again and again, a worker die and another process get its pid."""
    try:
        _LAST_PID.write_text(f"{_PIDS[0]}")
    except OSError as error:
        me.ready(refused=f"no choice of pids: {error}")
        return
    for number in range(times):
        pid, within = me.random.choice(_PIDS), me.random.random() < 0.5
        dead = _Process(pid, _hold, me.folder, path, number, within)
        registered = dead.heard()
        me.history.seen("killed", process=f"dead-{number}")
        dead.kill()
        kind = _NEXT[number % len(_NEXT)]
        namesake = _Process(pid, _take_pid, me.folder, path, number, kind)
        own = namesake.heard()
        with connect(path) as store:
            verdicts = _look(store, me.history, number, registered, own)
        namesake.line.send("end")
        namesake.join()
        where = f"pid {pid}, of a worker killed {'in' if within else 'after'} a transaction"
        me.ready(pid=pid, where=f"{where}, now {kind}", verdicts=verdicts)


def _look(
    store: Store, history: Recorder, number: int, dead: Registered, own: Registered | None
) -> list[tuple[bool, str]]:
    """Take back what the dead worker held; return what holds and what not, in words."""
    pools = store.engine.pools
    verdicts, left = [], 0
    for what, place, states in (
        ("pool", 0, {each.id: each.state for each in pools.pools()}),
        ("worker", 1, {each.id: each.state for each in pools.workers()}),
    ):
        state = states[dead[place]]
        verdicts.append((state == "lost", f"the dead {what} is {state}"))
        if own is not None:
            state = states[own[place]]
            verdicts.append((state == "starting", f"the living {what} is {state}"))
        for id in [id for id, state in states.items() if state == "lost"]:
            if what == "pool":
                pools.end(id)
            else:
                left += pools.retire(id, "its process is gone", kind="killed").given_back
    again = drain(store, history, "mail")
    verdicts.append((left == again == 2, f"of 2 claims {left} were given back, {again} were had"))
    refusal = ""
    try:
        _acquire(store, history, number, wait=PATIENCE_SECONDS / 2)
    except LeaseHeld as held:
        refusal = str(held)
    verdicts.append((not refusal, refusal))
    return verdicts


def _hold(line: Connection, folder: Path, path: str, number: int, within: bool) -> None:
    """Be a worker that holds two claims and a lease, until it is killed."""
    history = Recorder(folder / "history", f"dead-{number}")
    with connect(path) as store:
        _enqueue(store, history, f"{number}-a", f"{number}-b")
        registered = _register(store)
        _claim(store, history, 2, registered)
        _acquire(store, history, number)
        if within:
            with store.transaction():
                store.queue("mail").enqueue(b"", key=f"{number} never committed")
                line.send(registered)
                line.recv()
        line.send(registered)
        line.recv()


def _take_pid(line: Connection, folder: Path, path: str, number: int, kind: str) -> None:
    """Be there, until told to end."""
    if kind == "a stranger":
        line.send(None)
        line.recv()
        return
    history = Recorder(folder / "history", f"namesake-{number}")
    with connect(path) as store:
        own, claims = None, []
        if kind == "a worker":
            own = _register(store)
            _enqueue(store, history, f"{number}-own")
            claims = _claim(store, history, 1, own)
            with suppress(LeaseHeld):
                _acquire(store, history, number)
        line.send(own)
        line.recv()
        for hold, key in claims:
            with history.begin("ack", id=hold.id, fence=hold.fence, key=key):
                store.engine.queue.ack(hold, None)
        if own is not None:
            pool, worker = own
            store.engine.pools.retire(worker, "it ended")
            store.engine.pools.end(pool)


def _register(store: Store) -> Registered:
    pool = store.engine.pools.begin(["mail"], 1)
    return pool, store.engine.pools.register(pool)


def _enqueue(store: Store, history: Recorder, *keys: str) -> None:
    for key in keys:
        noted.enqueue(history, store.queue("mail"), key)


def _claim(
    store: Store, history: Recorder, limit: int, registered: Registered
) -> list[tuple[Hold, str]]:
    with history.begin("claim", queue="mail") as call:
        leased, _ = store.engine.queue.claim(
            ["mail"], limit=limit, lease_ms=_CLAIM_SECONDS * 1000, owner=registered[1]
        )
        noted = [
            {"id": each.hold.id, "key": each.message.key, "fence": each.hold.fence}
            for each in leased
        ]
        call.ok(claims=[{**each, "lease_ms": _CLAIM_SECONDS * 1000} for each in noted])
    return [(each.hold, str(each.message.key)) for each in leased]


def _acquire(store: Store, history: Recorder, number: int, wait: float = 0) -> None:
    name = f"name-{number}"
    with history.begin("acquire", name=name, ttl_ms=_LEASE_SECONDS * 1000) as call:
        call.ok(fence=store.leases.acquire(name, ttl=_LEASE_SECONDS, wait=wait).fence)


class _Process:
    """A process with the pid that was asked for, forked while no store is open."""

    def __init__(self, pid: int, work: Callable[..., None], *arguments: Any) -> None:
        self.line, far_end = multiprocessing.Pipe()
        _LAST_PID.write_text(f"{pid - 1}")
        self._pid = os.fork()
        if self._pid == 0:
            self.line.close()
            exit_after(work, far_end, *arguments)
        far_end.close()
        if self._pid != pid:
            raise RuntimeError(f"pid {self._pid} was given out, not {pid}")

    def heard(self) -> Any:
        """Return the next thing that it said."""
        if not self.line.poll(PATIENCE_SECONDS):
            raise TimeoutError(f"process {self._pid} said nothing")
        return self.line.recv()

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until its pid is free."""
        os.kill(self._pid, signal.SIGKILL)
        self.join()

    def join(self) -> None:
        """Wait until its pid is free."""
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self.line.close()
        if code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"process {self._pid} ended with {code}")


SCENARIO = Scenario(
    "pids",
    "pids of dead workers are reused by other processes",
    run,
    sizes={
        "canary": {"reuses": 3},
        "ci": {"reuses": 5},
        "nightly": {"reuses": 50},
    },
    canaries={
        "believes-pids": "dead-is-dead",
    },
    invariants={
        "dead-is-dead": "a dead worker is recognised, whichever process has its pid now",
    },
    grows=("reuses",),
)
