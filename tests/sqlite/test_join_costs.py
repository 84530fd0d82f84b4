"""What a group costs: as many statements for five hundred messages as for two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fencepost import Claim, Store
from fencepost.store.engine import Leased
from fencepost.store.engine.durable.joins import Apart
from fencepost.store.types.messages.draft import Address, Draft, Join

from ..clock import FakeClock
from .inside import traced


def _arrive(
    store: Store, count: int, lane: str, *, latest: bool = False, keep_body_ms: int = 0
) -> None:
    join = Join(5000, 1000, latest=latest)
    address = Address("mail", lane=lane, lane_policy="latest" if latest else "strict", join=join)
    drafts = [
        Draft("s", "s", f"{lane} {n}", "", {}, b"x" * 99, [address], keep_body_ms=keep_body_ms)
        for n in range(count)
    ]
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


def _fail_half(store: Store, claim: Claim) -> None:
    failed = [Apart(each.id, 1000 + each.id, f"no {each.id}") for each in claim.joined[::2]]
    store.engine.durable.joins.settle(claim.hold, failed, '"result"')


def _ack_newest(store: Store, claim: Claim) -> None:
    claim.take_newest()
    claim.ack()


def _ack_newest_with_a_claim(store: Store, claim: Claim) -> None:
    claim.take_newest()
    _, refused = store.engine.queue.claim([], limit=1, lease_ms=1, acks=[(claim.hold, None)])
    assert refused == []


def _retry_newest(store: Store, claim: Claim) -> None:
    claim.take_newest()
    claim.retry(60, "no")


def _bury_newest(store: Store, claim: Claim) -> None:
    claim.take_newest()
    claim.bury("no")


# JOIN-11
@pytest.mark.parametrize(
    ("end", "latest", "keep_body_ms"),
    [
        (_fail_half, False, 0),
        (_fail_half, False, 60_000),
        (lambda store, claim: claim.ack(), False, 60_000),
        (_ack_newest, True, 0),
        (_ack_newest_with_a_claim, True, 0),
        (_ack_newest, True, 60_000),
        (_retry_newest, True, 0),
        (_bury_newest, True, 0),
    ],
)
def test_each_end_of_a_group_is_as_many_statements_for_many_as_for_few(
    store: Store,
    clock: FakeClock,
    end: Callable[[Store, Claim], None],
    latest: bool,
    keep_body_ms: int,
) -> None:
    counts: list[int] = []
    for size in (4, 4, 50, 500):
        lane = f"{size} {len(counts)}"
        _arrive(store, size + 1, lane, latest=latest, keep_body_ms=keep_body_ms)
        clock.advance(5)
        (leased,) = _claim(store, [])
        assert len(leased.joined) == size
        with traced(store) as statements:
            end(store, Claim(store.engine, leased))
        counts.append(len(statements))
        clock.advance(3600)
        while rest := _claim(store, []):
            store.engine.queue.ack(rest[0].hold, None)

    assert len(set(counts[1:])) == 1
    assert counts[0] <= 24
