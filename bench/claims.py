"""What a message costs in the store: one process, 1 KiB bodies, ratios within one run.

    .venv/bin/python bench/claims.py

Compares ack and claim in two transactions with both in one, one at a time with
batches, and a short backlog with a long one.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fencepost import Store, connect
from fencepost.store.engine import Hold

MESSAGES = 2_000
LEASE_MS = 60_000


def main() -> None:
    """Print messages a second, and how they compare with the first line."""
    first = 0.0
    for durability in ("full", "normal"):
        for name, work, backlog in (
            ("claim, then ack", apart, 0),
            ("ack with the next claim", fused, 0),
            ("ack with the next claim, 32 at a time", batches, 0),
            ("ack with the next claim, 60,000 waiting", fused, 60_000),
        ):
            rate = measure(durability, work, backlog)
            first = first or rate
            print(f"{durability:6} {name:41} {rate:7.0f}/s  {rate / first:5.2f} x")


def measure(durability: str, work: Callable[[Store], None], backlog: int) -> float:
    """Return the messages claimed and acked in a second."""
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(Path(folder, "bench.db"), durability=durability) as store,
    ):
        for start in range(0, MESSAGES + backlog, 1000):
            store.queue("q").enqueue_many(
                {"body": b"x" * 1024, "key": f"{n}"} for n in range(start, start + 1000)
            )
        begun = time.perf_counter()
        work(store)
        return MESSAGES / (time.perf_counter() - begun)


def apart(store: Store) -> None:
    """Two transactions for each message."""
    queue = store.queue("q")
    for _ in range(MESSAGES):
        (claim,) = queue.claim()
        claim.ack()


def fused(store: Store, size: int = 1) -> None:
    """One transaction for each message, as the workers do it."""
    acks: list[tuple[Hold, str | None]] = []
    for _ in range(MESSAGES // size):
        leases, refused = store.engine.queue.claim(["q"], limit=size, lease_ms=LEASE_MS, acks=acks)
        assert not refused
        acks = [(leased.hold, None) for leased in leases]


def batches(store: Store) -> None:
    """One transaction for 32 messages."""
    fused(store, size=32)


if __name__ == "__main__":
    main()
