"""What joining gains: an empty handler's messages claimed and acked in groups, and one by one.

    .venv/bin/python bench/joins.py

Both kinds take turns within one run, on the same messages of 100 keys. As a worker does, each
claim takes along the acks of the one before. What is compared is the sum over the rounds.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from fencepost import Store, connect
from fencepost.store.engine import Hold
from fencepost.store.types.messages.draft import Address, Draft, Join

ROUNDS = 2
MESSAGES = 10_000
KEYS = 100
MOST = 500


def main() -> None:
    """Print the messages a second of each kind, and how many times those of one by one."""
    spent = {"one by one": 0.0, "in groups": 0.0}
    calls = dict.fromkeys(spent, 0)
    for _ in range(ROUNDS):
        for kind in spent:
            seconds, counted = measure({} if kind == "one by one" else {"q": MOST})
            spent[kind] += seconds
            calls[kind] += counted
    for kind, seconds in spent.items():
        rate, times = ROUNDS * MESSAGES / seconds, spent["one by one"] / seconds
        print(f"{kind:12} {rate:9.0f} messages/s  {calls[kind]:7} calls  {times:5.1f} x")


def measure(joins: dict[str, int]) -> tuple[float, int]:
    """Return how long the messages take from the first claim to the last ack, and the claims."""
    with tempfile.TemporaryDirectory() as folder, connect(Path(folder, "bench.db")) as store:
        for start in range(0, MESSAGES, 1000):
            store.engine.queue.enqueue([_draft(n) for n in range(start, start + 1000)])
        begun = time.perf_counter()
        calls = _drain(store, joins)
        return time.perf_counter() - begun, calls


def _draft(number: int) -> Draft:
    address = Address("q", lane=f"{number % KEYS}", join=Join(0, MOST))
    return Draft("s", "s", f"{number}", "", {}, b"x" * 1024, [address])


def _drain(store: Store, joins: dict[str, int]) -> int:
    done: list[Hold] = []
    calls = 0
    while True:
        leases, refused = store.engine.queue.claim(
            ["q"], limit=1, lease_ms=30_000, acks=[(hold, None) for hold in done], joins=joins
        )
        assert not refused
        if not leases:
            assert store.queue("q").stats().done == MESSAGES
            return calls
        done = [leased.hold for leased in leases]
        calls += 1


if __name__ == "__main__":
    main()
