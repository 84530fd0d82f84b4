"""A group whose lease has expired and that nobody else has claimed is its holder's, as one is."""

from __future__ import annotations

import pytest

from fencepost import Claim, Store
from fencepost.store.engine.durable.joins import Apart
from fencepost.store.types.messages.draft import Address, Draft, Join

from ..clock import FakeClock


def _taken_back(store: Store, clock: FakeClock, *, latest: bool = False) -> Claim:
    """Return a claim of three messages whose lease is over: it was taken back."""
    join = Join(5000, 500, latest=latest)
    address = Address("mail", lane="one", lane_policy="latest" if latest else "strict", join=join)
    store.engine.queue.enqueue([Draft("s", "s", key, "", {}, b"", [address]) for key in "abc"])
    clock.advance(5)
    (leased,), _ = store.engine.queue.claim(
        ["mail"], limit=9, lease_ms=30_000, owner=1, joins={"mail": 500}
    )
    clock.advance(31)
    store.engine.queue.claim(["mail"], limit=0, lease_ms=1)
    assert store.queue("mail").stats().leased == 0
    claim = Claim(store.engine, leased)
    if latest:
        claim.take_newest()
    return claim


def _end(store: Store, claim: Claim, verb: str) -> None:
    match verb:
        case "settle":
            apart = [Apart(2, 60_000, "no"), Apart(3, None, "never")]
            store.engine.durable.joins.settle(claim.hold, apart, None)
        case "renew":
            claim.renew(60)
            claim.retry(60, "no")
        case "transaction":
            with claim.transaction():
                pass
        case "next claim":
            store.engine.queue.claim([], limit=1, lease_ms=1, acks=[(claim.hold, None)])
        case "next release":
            store.engine.queue.claim([], limit=1, lease_ms=1, releases=[claim.hold])
        case "retry":
            claim.retry(60, "no")
        case "bury":
            claim.bury("never")
        case _:
            getattr(claim, verb)()


# JOIN-5, JOIN-8
@pytest.mark.parametrize(
    ("verb", "ends"),
    [
        ("ack", ["done 1", "done 1", "done 1"]),
        ("transaction", ["done 1", "done 1", "done 1"]),
        ("next claim", ["done 1", "done 1", "done 1"]),
        ("bury", ["dead 1", "dead 1", "dead 1"]),
        ("retry", ["ready 0", "ready 0", "ready 0"]),
        ("release", ["ready 0", "ready 0", "ready 0"]),
        ("next release", ["ready 0", "ready 0", "ready 0"]),
        ("renew", ["ready 0", "ready 0", "ready 0"]),
        ("settle", ["done 1", "ready 1", "dead 1"]),
    ],
)
def test_a_late_end_counts_the_attempts_of_one_in_time(
    store: Store, clock: FakeClock, verb: str, ends: list[str]
) -> None:
    claim = _taken_back(store, clock)

    for _ in range(1 if verb in ("renew", "transaction") else 2):
        _end(store, claim, verb)

    rows = sorted(store.deliveries(), key=lambda row: row.id)
    assert [f"{row.state} {row.attempt}" for row in rows] == ends
    stats = store.queue("mail").stats()
    waiting = sum(end.startswith("ready") for end in ends)
    assert stats.ready + stats.scheduled == waiting
    assert stats.scheduled == (verb in ("retry", "renew", "settle"))


# JOIN-8, JOIN-9
@pytest.mark.parametrize(
    ("verb", "ends"),
    [
        ("ack", ["cancelled 1", "cancelled 1", "done 1"]),
        ("transaction", ["cancelled 1", "cancelled 1", "done 1"]),
        ("next claim", ["cancelled 1", "cancelled 1", "done 1"]),
        ("bury", ["cancelled 1", "cancelled 1", "dead 1"]),
        ("retry", ["ready 0", "ready 0", "ready 1"]),
        ("release", ["ready 0", "ready 0", "ready 0"]),
        ("renew", ["ready 0", "ready 0", "ready 1"]),
    ],
)
def test_a_late_end_of_the_newest_counts_one_attempt_of_it(
    store: Store, clock: FakeClock, verb: str, ends: list[str]
) -> None:
    claim = _taken_back(store, clock, latest=True)

    for _ in range(1 if verb in ("renew", "transaction") else 2):
        _end(store, claim, verb)

    rows = sorted(store.deliveries(), key=lambda row: row.id)
    assert [f"{row.state} {row.attempt}" for row in rows] == ends


# JOIN-8
def test_a_late_worker_that_fails_again_does_not_damage_the_store(
    store: Store, clock: FakeClock
) -> None:
    claim = _taken_back(store, clock)
    claim.renew(30)
    clock.advance(31)
    store.engine.queue.claim(["mail"], limit=0, lease_ms=1)
    claim.retry(None, "no")
    clock.advance(3600)

    (leased,), _ = store.engine.queue.claim(["mail"], limit=1, lease_ms=1, joins={"mail": 500})

    assert [leased.attempt, *(each.attempt for each in leased.joined)] == [1, 1]
