"""What deliveries that sleep and wait cost an idle pool, and how soon an answer wakes one.

    .venv/bin/python bench/sleepers.py [--sleepers 100000] [--waiters 100000] [--json]

The sleepers wake tomorrow. An answer is timed from before `store.resume` to the line of the
handler behind `ctx.wait`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import msgspec

from fencepost import Claim, Store
from fencepost.speed.pool import Pool
from fencepost.store.types.durable.sleep import Sleep
from fencepost.store.types.durable.wait import NEVER_MS, Place, Wanted
from fencepost.store.waiting.wait_token import make_token
from fencepost.stress.machine.processes import cpu_seconds
from fencepost.stress.machine.trials import machine
from fencepost.stress.records.percentiles import quantiles

_BATCH = 1000
_DAY_MS = 86_400_000
_SETTLE_SECONDS = 2.0
_POLL_SECONDS = 0.005
_WAITER = "waiter"


def main() -> None:
    """Fill a store with sleepers, let a pool idle beside them, and answer its waiters."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sleepers", type=int, default=100_000)
    parser.add_argument("--waiters", type=int, default=100_000)
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0, help="of idling")
    parser.add_argument("--folder", help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=told.folder) as folder,
        Pool(Path(folder, "pool"), _WAITER) as pool,
    ):
        where = machine(Path(folder))
        alone = idle_cpu(pool, told.seconds)
        fill(pool.store, told.sleepers, waits=False)
        fill(pool.store, told.waiters, waits=True)
        beside = idle_cpu(pool, told.seconds)
        began = time.perf_counter()
        pool.store.stats()
        figures = {
            "sleepers": told.sleepers,
            "waiters": told.waiters,
            "idle_cpu_alone": alone,
            "idle_cpu_beside": beside,
            "stats_ms": (time.perf_counter() - began) * 1000,
            "wake_ms": quantiles(wakes(pool, told.answers)),
        }
    if told.json:
        print(json.dumps({"machine": msgspec.to_builtins(where), **figures}, indent=2))
        return
    print(
        f"idle pool of 2 workers: {alone:.3%} of a core alone, {beside:.3%} beside"
        f" {told.sleepers:,} sleepers and {told.waiters:,} waiters;"
        f" queues counted in {figures['stats_ms']:.1f} ms"
    )
    shown = ", ".join(f"{name} {wait:.2f} ms" for name, wait in figures["wake_ms"].items())
    print(f"answer to handler, {told.answers} answers: {shown}")


def fill(store: Store, count: int, *, waits: bool) -> None:
    """Put so many deliveries to sleep in a queue that no pool serves."""
    queue = store.queue("asleep")
    for _ in range(0, count, _BATCH):
        queue.enqueue_many([{"body": b"{}"}] * _BATCH)
        claims = queue.claim(limit=_BATCH, lease=600)
        with store.transaction():
            for claim in claims:
                _suspend(store, claim, waits=waits)


def _suspend(store: Store, claim: Claim, *, waits: bool) -> None:
    until_ms = NEVER_MS if waits else store.engine.clock.now_ms() + _DAY_MS
    wanted = [Wanted(Place(claim.id, "answer", 1), until_ms)] if waits else []
    store.engine.durable.steps.suspend(claim.hold, Sleep("answer", until_ms, True, waits=wanted))


def idle_cpu(pool: Pool, seconds: float) -> float:
    """Return the share of a core that a pool takes while it has nothing to do."""
    time.sleep(_SETTLE_SECONDS)
    pids = [pool.pid, *(worker.pid for worker in pool.store.workers())]
    before = sum(map(cpu_seconds, pids))
    time.sleep(seconds)
    used: float = sum(map(cpu_seconds, pids)) - before
    return used / seconds


def wakes(pool: Pool, count: int) -> list[float]:
    """Return the milliseconds from each of so many answers to its handler, one by one."""
    found, queue = [], pool.store.queue(_WAITER)
    for n in range(count):
        receipt = queue.enqueue(b"{}", key=f"waiter {n}")
        (row,) = pool.store.deliveries(message=receipt.message_id)
        while queue.stats().asleep == 0:
            time.sleep(_POLL_SECONDS)
        time.sleep(_POLL_SECONDS)  # so that the pool is idle
        token = make_token(pool.store.engine, Place(row.id, "answer", 1))
        began = time.monotonic_ns()
        assert pool.store.resume(token, n) == "accepted"
        while queue.stats().done <= n:
            time.sleep(_POLL_SECONDS)
        found.append((queue.enqueue(b"{}", key=f"waiter {n}").result - began) / 1e6)
    return found


if __name__ == "__main__":
    main()
