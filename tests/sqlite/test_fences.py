"""Fences on SQLite: one counter for all that is claimed and leased.

The contract promises less, and nothing may rely on more; it is SQLite's way to keep it.
"""

from __future__ import annotations

from fencepost import Queue, Store

from ..clock import FakeClock


def test_fences_rise_over_all_deliveries(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue_many([{"body": b"%d" % n} for n in range(5)])
    fences = []

    for _ in range(3):
        fences += [claim.fence for claim in queue.claim(limit=5, lease=1)]
        clock.advance(1)

    assert len(fences) == 15
    assert fences == sorted(set(fences))


def test_fences_rise_over_all_names_keys_and_deliveries(store: Store, clock: FakeClock) -> None:
    fences = []
    for _ in range(3):
        for name in ("a", "b"):
            lease = store.leases.acquire(name, ttl=1)
            fences.append(lease.fence)
            lease.release()
        fences.append(store.leases.acquire("c", ttl=1).fence)
        store.queue("mail").enqueue(b"work")
        fences += [claim.fence for claim in store.queue("mail").claim(lease=1)]
        once = store.once("n", f"{len(fences)}")
        assert once.fence is not None
        fences.append(once.fence)
        clock.advance(1)

    assert fences == sorted(set(fences))
