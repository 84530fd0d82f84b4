"""How soon an idle pool begins a message."""

from __future__ import annotations

import secrets
import statistics
import time
from contextlib import closing

from ..stress.records.percentiles import quantile
from .measurement import BODY, Setup, Waits
from .pool import Pool
from .raw import Raw

_PAUSE_SECONDS = 0.02  # longer than a message takes, so that the pool is idle again


def measure(setup: Setup) -> list[Waits]:
    """Measure the wait from before each enqueue to the handler's first line."""
    each = max(10, int(setup.seconds / _PAUSE_SECONDS))
    waits, raw_waits = [], []
    with (
        Pool(setup.folder / "clock", "clock") as pool,
        closing(Raw(setup.folder / "clock.db")) as raw,
    ):
        for _ in setup.each_round("idle"):
            waits += waits_of(pool, each)
            for _ in range(each):
                began = time.perf_counter()
                raw.enqueue([secrets.token_hex(8)], BODY)
                raw.claim(1)
                raw_waits.append((time.perf_counter() - began) * 1000)
    waits.sort()
    return [
        Waits(
            name="idle",
            messages=len(waits),
            p50_ms=round(statistics.median(waits), 3),
            p99_ms=round(quantile(waits, 0.99), 3),
            max_ms=round(waits[-1], 3),
            raw_p50_ms=round(statistics.median(raw_waits), 3),
        )
    ]


def waits_of(pool: Pool, count: int) -> list[float]:
    """Return the milliseconds that each of so many messages waits, sent one by one."""
    queue = pool.store.queue(pool.name)
    sent = {}
    for _ in range(count):
        key = secrets.token_hex(8)
        sent[key] = time.monotonic_ns()
        pool.enqueue([key])
        time.sleep(_PAUSE_SECONDS)
    pool.drain()
    # Enqueued again, each is a duplicate, and its receipt has the handler's result.
    receipts = queue.enqueue_many([{"body": BODY, "key": key} for key in sent])
    return [
        (receipt.result - began) / 1e6
        for receipt, began in zip(receipts, sent.values(), strict=True)
    ]
