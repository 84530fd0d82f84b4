"""A claim holds until somebody else has claimed the delivery, and not a moment longer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fencepost import Claim, LeaseLost, Queue, Store

from ..clock import FakeClock


def _transact(claim: Claim) -> None:
    with claim.transaction():
        Store(claim._engine).keyed("test", "effects").register("n", 1)


ENDINGS: dict[str, Callable[[Claim], object]] = {
    "ack": lambda claim: claim.ack(),
    "retry": lambda claim: claim.retry(),
    "release": lambda claim: claim.release(),
    "bury": lambda claim: claim.bury("no"),
    "renew": lambda claim: claim.renew(30),
    "transaction": _transact,
}


@pytest.fixture
def stale(queue: Queue, clock: FakeClock) -> Claim:
    """A claim that expired and was claimed by somebody else."""
    queue.enqueue(b"work")
    (claim,) = queue.claim(lease=10)
    clock.advance(10)
    return claim


# CLAIM-5, CLAIM-17, OUTBOX-5, INGRESS-11
def test_an_expired_lease_is_claimed_again_with_a_greater_fence(queue: Queue, stale: Claim) -> None:
    (taken,) = queue.claim(lease=10)

    assert taken.id == stale.id
    assert taken.fence > stale.fence
    assert taken.token != stale.token
    assert taken.attempt == 2


# CLAIM-5, PLEASE-1, PLEASE-2
def test_a_live_lease_is_not_claimed(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"work")
    queue.claim(lease=10)
    clock.advance(9.999)

    assert queue.claim() == []


# CLAIM-21, CLAIM-30, CLAIM-31, CLAIM-36, PLEASE-3, PLEASE-5, PLEASE-9, OUTBOX-4, INGRESS-7, FP-5,
# FP-6
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_late_call_is_refused_and_changes_nothing(
    ending: str, store: Store, queue: Queue, stale: Claim
) -> None:
    queue.claim(lease=10)
    before = store.delivery(stale.id)

    with pytest.raises(LeaseLost) as refused:
        ENDINGS[ending](stale)

    assert refused.value.cause == "superseded"
    assert refused.value.code == "lease_lost"
    assert store.delivery(stale.id) == before
    assert store.keyed("test", "effects").entries() == []


# CLAIM-33, COMMIT-7
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_late_call_is_refused_after_the_new_holder_is_done(
    ending: str, store: Store, queue: Queue, stale: Claim
) -> None:
    (taken,) = queue.claim(lease=10)
    taken.ack({"by": "the new holder"})
    before = store.delivery(stale.id)

    with pytest.raises(LeaseLost):
        ENDINGS[ending](stale)

    content = store.content(stale.id)
    assert store.delivery(stale.id) == before
    assert content is not None
    assert content.result == {"by": "the new holder"}


# CLAIM-30, CLAIM-34
@pytest.mark.parametrize("ending", ENDINGS)
def test_past_its_expiry_a_claim_holds_while_nobody_has_claimed_since(
    ending: str, queue: Queue, stale: Claim
) -> None:
    ENDINGS[ending](stale)

    assert queue.stats().done == (ending in ("ack", "transaction"))


# CLAIM-34
def test_a_claim_taken_back_and_not_claimed_yet_still_holds(
    queue: Queue, store: Store, stale: Claim
) -> None:
    store.queue("other").claim()  # takes expired leases back for all queues
    assert queue.stats().ready == 1

    stale.ack()

    assert queue.stats().done == 1
    assert queue.claim() == []


# CLAIM-16
def test_renewing_keeps_others_away(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim(lease=10)

    for _ in range(5):
        clock.advance(6)
        claim.renew(10)

    assert queue.claim() == []
    clock.advance(10)
    assert len(queue.claim()) == 1


def test_renewing_never_shortens_a_lease(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim(lease=60)
    expiry = claim.expires_at

    claim.renew(1)
    clock.advance(30)

    assert claim.expires_at == expiry
    assert queue.claim() == []


# CLAIM-12, CLAIM-13, PLEASE-2, DRAIN-6, FP-4
def test_fences_rise_with_every_claim_of_a_delivery_and_none_is_given_twice(
    queue: Queue, clock: FakeClock
) -> None:
    queue.enqueue_many([{"body": b"%d" % n} for n in range(5)])
    fences: dict[int, list[int]] = {}

    for _ in range(3):
        for claim in queue.claim(limit=5, lease=1):
            fences.setdefault(claim.id, []).append(claim.fence)
        clock.advance(1)

    assert [len(each) for each in fences.values()] == [3] * 5
    assert all(each == sorted(set(each)) for each in fences.values())
    assert len({fence for each in fences.values() for fence in each}) == 15


# LEASE-6, CLAIM-12
def test_each_call_has_a_token_of_its_own_and_it_is_never_shown(queue: Queue) -> None:
    queue.enqueue_many([{"body": b"%d" % n} for n in range(40)])

    calls = [queue.claim(limit=2) for _ in range(20)]

    claims = [claim for call in calls for claim in call]
    tokens = [{claim.token for claim in call} for call in calls]
    assert len(set().union(*tokens)) == sum(map(len, tokens))
    assert len({(claim.fence, claim.token) for claim in claims}) == 40
    assert not any(claim.token in repr(claim) + repr(claim.hold) for claim in claims)


# EVENT-5, PLEASE-5
def test_the_right_fence_with_another_token_is_refused(queue: Queue, store: Store) -> None:
    """After a power loss without full durability a fence may be given out twice."""
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    forged = type(claim.hold)(claim.id, claim.fence, "0" * 32)

    with pytest.raises(LeaseLost):
        store.engine.queue.ack(forged, None)

    assert queue.stats().leased == 1
