"""Mixed work for long, with kills: nothing grows without end, and nothing is lost.

The work is such that all it leaves ends after some seconds: keys with a short retention,
entries with a ttl and a cap, leases, keys done once.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from ...store import Store, connect
from ...store.errors import LeaseHeld
from ..harness.child_processes import Child, Me
from ..harness.run import Run
from ..harness.scenario import Scenario
from ..harness.waiting import PATIENCE_SECONDS, until
from ..machine.processes import kill, workers_of
from ..pools.apps import tally
from ..pools.command import LEASE_SECONDS, complaints, is_up, work
from ..records.census import integrity
from ..workloads.usage import Usage

_PRODUCERS = 2
_OTHERS = _PRODUCERS + 2  # the supervisor, and an operator
_PAUSE_SECONDS = 0.02
_KEEP_SECONDS = 3.0
_KILL_SECONDS = (1.0, 4.0)
_SAMPLE_SECONDS = (0.25, 60.0)
_SAMPLES = 400


def run(run: Run) -> None:
    """Let all work, look at what they use, kill a worker now and then; then count."""
    path = run.folder / "store.db"
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        with store.transaction() as tx:
            tx.execute(tally.TABLE)
            tx.execute(tally.BEGIN)
        workers = max(1, int(run.size["processes"]) - _OTHERS)
        options = (tally.__name__, workers, LEASE_SECONDS, run.canary)
        pool = run.start("pool", work, run.folder, *options)
        producers = [run.start(f"producer-{n}", _produce, path) for n in range(_PRODUCERS)]
        operator = run.start("operator", _operate, path)
        known = [("supervisor", pool.pid), ("operator", operator.pid)]
        known += [("producer", child.pid) for child in producers]
        use = Usage(path, lambda: [*known, *(("worker", pid) for pid in workers_of(pool.pid))])
        until(lambda: is_up(run.folder, pool.name), "the pool is up")
        _let_work(run, pool, use)
        for child in (*producers, operator):
            child.enough()
        accepted = tally.Tally()
        for child in producers:
            accepted = accepted.plus(child.heard()["accepted"])
        until(lambda: not store.engine.queue.anything_left([tally.QUEUE]), "all is handled")
        _end(run, pool)
        judge(run, store, accepted)
    use.judge(run)
    run.says(f"{accepted.messages} messages, {use.says()}")


def _let_work(run: Run, pool: Child, use: Usage) -> None:
    began = time.monotonic()
    least, most = _SAMPLE_SECONDS
    every = min(most, max(least, run.size["seconds"] / _SAMPLES))
    sample_at, kill_at = began, began + run.random.uniform(*_KILL_SECONDS)
    while (now := time.monotonic()) < began + run.size["seconds"]:
        if now >= sample_at:
            use.sample()
            sample_at += every
            run.progress((now - began) / run.size["seconds"], use.says())
        if now >= kill_at:
            kill_at = now + run.random.uniform(*_KILL_SECONDS)
            # Never those that are to show whether they grow.
            if len(found := workers_of(pool.pid)) > 1 and kill(found[-1], parent=pool.pid):
                run.fault("worker killed")
        time.sleep(max(0.0, min(sample_at, kill_at) - time.monotonic()))


def _end(run: Run, pool: Child) -> None:
    """Stop the pool."""
    os.kill(pool.pid, signal.SIGTERM)
    pool.join()
    run.check("typed-errors", pool.exit_code == 0, f"the pool ended with {pool.exit_code}")
    for line in complaints(run.folder):
        run.broken("typed-errors", f"the pool said: {line}")


def judge(run: Run, store: Store, accepted: tally.Tally) -> None:
    """Hold what was handled against what was accepted, and look at the file."""
    with store.transaction() as tx:
        ((messages, ids, squares),) = tx.execute(tally.HANDLED)
    handled = tally.Tally(messages, ids, squares)
    run.figure("messages", accepted.messages)
    run.checked("effects-once", accepted.messages)
    if handled != accepted:
        run.broken("effects-once", f"accepted were {accepted}, effects are there of {handled}")
    says = integrity(store.engine.identity.address)
    run.check("integrity", says == "ok", says)


def _produce(me: Me, path: Path) -> None:
    """Put a bit of everything into the store, until it is enough."""
    accepted, number = tally.Tally(), 0
    with connect(path, create=False, busy_timeout=PATIENCE_SECONDS) as store:
        queue = store.queue(tally.QUEUE)
        entries = store.keyed("soak", "entries", max_entries=200, ttl=_KEEP_SECONDS)
        while me.going:
            number += 1
            key = f"{me.name}-{number - (me.random.random() < 0.1)}"
            receipt = queue.enqueue(key.encode(), key=key, keep_for=_KEEP_SECONDS)
            if receipt.status == "accepted":
                accepted = accepted.plus(tally.one(receipt.message_id))
            match me.random.randrange(8):
                case 0:
                    entries.register(key, {"number": number})
                case 1:
                    once = store.once("soak", key, keep_for=_KEEP_SECONDS)
                    if once.claimed:
                        once.complete({"number": number})
                case 2:
                    with suppress(LeaseHeld), store.leases.hold("soak", ttl=LEASE_SECONDS):
                        entries.count()
            time.sleep(me.random.uniform(0, 2 * _PAUSE_SECONDS))
    me.ready(accepted=accepted)


def _operate(me: Me, path: Path) -> None:
    """Look at the store as its operators do, and back it up, until it is enough."""
    copy = me.folder / "copy.db"
    with connect(path, create=False, busy_timeout=PATIENCE_SECONDS) as store:
        while me.going:
            store.stats()
            store.deliveries(limit=100)
            store.workers()
            store.keyed("soak", "entries").entries()
            if me.random.random() < 0.05:
                store.backup(copy)
                copy.unlink()
            time.sleep(me.random.uniform(0, 10 * _PAUSE_SECONDS))


SCENARIO = Scenario(
    "soak",
    "mixed work with kills for a long time; memory, descriptors, WAL and rows stay bounded",
    run,
    sizes={
        "canary": {"processes": 6, "seconds": 4},
        "ci": {"processes": 8, "seconds": 8},
        "nightly": {"processes": 8, "seconds": 3600},
    },
    canaries={
        "connection-each": "bounded",
    },
    invariants={
        "bounded": "memory, descriptors and rows stay below their bounds",
    },
    grows=("seconds",),
)
