"""What a group costs: as many statements for five hundred messages as for two."""

from __future__ import annotations

from fencepost import Store
from fencepost.store.engine import Leased
from fencepost.store.types.messages.draft import Address, Draft, Join

from ..clock import FakeClock
from .inside import traced


def _arrive(store: Store, count: int, lane: str) -> None:
    address = Address("mail", lane=lane, join=Join(5000, 1000))
    drafts = [Draft("s", "s", f"{lane} {n}", "", {}, b"x" * 99, [address]) for n in range(count)]
    store.engine.queue.enqueue(drafts)


def _claim(store: Store, done: list[Leased]) -> list[Leased]:
    leases, refused = store.engine.queue.claim(
        ["mail"],
        limit=1,
        lease_ms=30_000,
        acks=[(leased.hold, None) for leased in done],
        joins={"mail": 1000},
    )
    assert refused == []
    return leases


# JOIN-11
def test_the_statements_of_a_group_do_not_grow_with_it(store: Store, clock: FakeClock) -> None:
    queue, counts = store.queue("mail"), []
    _arrive(store, 2, "first")
    for size in (2, 50, 500):
        _arrive(store, size, f"{size}")
    clock.advance(5)
    done = _claim(store, [])
    for size in (2, 50, 500):
        with traced(store) as statements:
            done = _claim(store, done)
        assert len(done[0].joined) == size - 1
        counts.append(len(statements))
    with traced(store) as renewed:
        store.engine.queue.renew(done[0].hold, 60_000)
    with traced(store) as failed:
        store.engine.queue.retry(done[0].hold, 1000, "no")

    assert len(set(counts)) == 1
    assert counts[0] <= 16
    assert len(renewed) <= 6
    assert len(failed) <= 6
    assert queue.stats().scheduled == 1


# JOIN-11
def test_joining_costs_three_statements_a_group_each_way(store: Store, clock: FakeClock) -> None:
    for queue in ("mail", "single"):
        store.queue(queue).enqueue(b"", lane="l")
    _arrive(store, 500, "one")
    clock.advance(5)
    store.engine.queue.claim(["none", "single"], limit=0, lease_ms=1)  # what is due is ready now

    plain = []
    for queue in ("single", "mail"):
        with traced(store) as claimed:
            leases, _ = store.engine.queue.claim(
                [queue], limit=1, lease_ms=30_000, joins={"mail": 1000}
            )
        with traced(store) as ended:
            store.engine.queue.claim(
                [], limit=1, lease_ms=1, acks=[(leased.hold, None) for leased in leases]
            )
        plain.append((len(claimed), len(ended)))
    with traced(store) as claimed:
        group = _claim(store, [])
    with traced(store) as ended:
        store.engine.queue.claim([], limit=1, lease_ms=1, acks=[(group[0].hold, None)])

    assert len(group[0].joined) == 499
    alone, nobody_behind = plain
    assert nobody_behind[0] == alone[0] + 1  # it looks for others
    assert len(claimed) <= alone[0] + 3
    assert len(ended) <= alone[1] + 3
