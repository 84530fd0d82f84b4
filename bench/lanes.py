"""What lanes cost: enqueue, claim and ack of the same messages in 10,000 lanes and in none.

    .venv/bin/python bench/lanes.py

The kinds take turns within one run; what is compared is the sum over the rounds.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from pathlib import Path

from fencepost import Store, connect

ROUNDS = 5
MESSAGES = 20_000
LANES = 10_000
BATCH = 100


def main() -> None:
    """Print the seconds of each step, and how many times those without lanes."""
    spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for _ in range(ROUNDS):
        for kind, lanes in (("none", 0), ("10,000 lanes", LANES), ("100 lanes", 100)):
            measure(spent[kind], lanes)
    for kind, steps in spent.items():
        for step, seconds in steps.items():
            print(f"{kind:12} {step:12} {seconds:6.2f} s  {seconds / spent['none'][step]:5.2f} x")


def measure(spent: dict[str, float], lanes: int) -> None:
    """Add up what each step of a message's life takes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(Path(folder, "bench.db"), durability="normal") as store,
    ):
        begun = time.perf_counter()
        for start in range(0, MESSAGES, BATCH):
            store.queue("q").enqueue_many(
                {"body": b"x" * 1024, "key": f"{n}", "lane": f"{n % lanes}" if lanes else None}
                for n in range(start, start + BATCH)
            )
        enqueued = time.perf_counter()
        drain(store)
        spent["enqueue"] += enqueued - begun
        spent["claim, ack"] += time.perf_counter() - enqueued


def drain(store: Store) -> None:
    """Claim and ack all there is."""
    queue = store.queue("q")
    done = 0
    while claims := queue.claim(limit=BATCH):
        assert not queue.ack_many(claims)
        done += len(claims)
    assert done == MESSAGES


if __name__ == "__main__":
    main()
