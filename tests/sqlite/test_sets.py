"""Many deliveries at a time: a few statements, and row by row where one of them is odd."""

from __future__ import annotations

import pytest

from fencepost import Queue, Store
from fencepost.store.sqlite.queue.sets.odd import OddSet
from fencepost.store.types.messages.draft import Address, Draft, LanePolicy

from ..clock import FakeClock
from .inside import ask, connection, traced


def _messages(count: int, **options: object) -> list[dict[str, object]]:
    return [{"body": b"%d" % n, "key": f"key {n}", **options} for n in range(count)]


# SET-1
def test_a_set_takes_as_many_statements_as_a_part_of_it(store: Store) -> None:
    taken = {}
    for count in (20, 100):
        queue = store.queue(f"of-{count}")
        with traced(store) as enqueued:
            queue.enqueue_many(_messages(count, lane="one", delay=0))
        with traced(store) as claimed:
            claims = queue.claim(limit=count)
        with traced(store) as acked:
            queue.ack_many(claims)
        taken[count] = len(enqueued), len(claimed), len(acked)

    assert taken[20] == taken[100]


# SET-1
def test_a_hundred_are_enqueued_in_10_statements_and_claimed_and_acked_in_12(
    store: Store, queue: Queue
) -> None:
    with traced(store) as enqueued:
        queue.enqueue_many(_messages(100))
    with traced(store) as ended:
        queue.ack_many(queue.claim(limit=100))

    assert len(enqueued) <= 10
    assert len(ended) <= 12
    assert queue.stats().done == 100


# SET-2
@pytest.mark.parametrize("ends", ["ack", "release"])
@pytest.mark.parametrize("named", [(0, 0, 2), (2, 0, 0), (0, 0, 0, 3), (1, 1)])
def test_a_claim_named_twice_in_one_call_ends_no_other(
    store: Store, queue: Queue, ends: str, named: tuple[int, ...]
) -> None:
    queue.enqueue_many({"body": b"x" * n, "key": f"{n}", "lane": f"{n}"} for n in (1000, 10, 20, 1))
    claims = queue.claim(limit=4)

    if ends == "ack":
        assert queue.ack_many([claims[n] for n in named]) == []
    else:
        given = [claims[n].hold for n in named]
        store.engine.queue.claim(["other"], limit=1, lease_ms=1000, releases=given)

    left = [claim for n, claim in enumerate(claims) if n not in named]
    assert queue.stats().leased == len(left)
    assert queue.ack_many(left) == []


# QUEUE-10
@pytest.mark.parametrize("column", ["key", "event", "source"])
def test_text_that_cannot_be_read_stops_nobody_but_itself(
    store: Store, queue: Queue, column: str
) -> None:
    queue.enqueue_many(_messages(4))
    connection(store).execute(
        f"update fp_message set {column} = cast(x'ff41' as text) where id = 2"  # noqa: S608
    )

    assert [claim.message.body for claim in queue.claim(limit=4)] == [b"0", b"2", b"3"]
    assert queue.stats().dead == 1


# SET-3
def test_a_call_uses_up_few_fences_beyond_those_it_gives(store: Store, queue: Queue) -> None:
    other = store.queue("other")
    for n in range(40):
        (queue if n % 8 == 0 else other).enqueue(b"%d" % n)

    claims = queue.claim(limit=5)

    assert [claim.id for claim in claims] == [1, 9, 17, 25, 33]
    ((last,),) = ask(store.engine.identity.address, "select last_fence from fp_store")
    assert claims[-1].fence == last == 33


# SET-2
@pytest.mark.parametrize("count", [1, 2, 10, 11, 99, 100, 101, 250])
def test_each_of_many_gets_its_own_body_and_queue(store: Store, count: int) -> None:
    drafts = [
        Draft(
            "s", "s", f"{n}", "e", {"n": f"{n}"}, b"%d" % n, [Address(f"q{n % 3}"), Address("all")]
        )
        for n in range(count)
    ]
    receipts = store.engine.queue.enqueue(drafts)

    assert [each.message_id for each in receipts] == list(range(1, count + 1))
    found = [claim.message for claim in store.queue("all").claim(limit=count)]
    assert [(each.key, each.headers["n"], each.body) for each in found] == [
        (f"{n}", f"{n}", b"%d" % n) for n in range(count)
    ]
    for n in range(3):
        keys = [claim.message.key for claim in store.queue(f"q{n}").claim(limit=count)]
        assert keys == [f"{each}" for each in range(n, count, 3)]


# SET-1
def test_what_is_claimed_again_with_the_acks_before_it_is_one_transaction(
    store: Store, queue: Queue
) -> None:
    queue.enqueue_many(_messages(200))
    acks = [(claim.hold, None) for claim in queue.claim(limit=100)]

    with traced(store) as statements:
        store.engine.queue.claim(["mail"], limit=100, lease_ms=30_000, acks=acks)

    assert len(statements) <= 10


# SET-2
def test_known_keys_among_new_ones_are_answered_in_their_place(store: Store, queue: Queue) -> None:
    first = queue.enqueue(b"3", key="key 3")
    queue.enqueue(b"other", key="key 5")

    receipts = queue.enqueue_many([*_messages(8), {"body": b"7", "key": "key 7"}])

    assert [each.status for each in receipts] == [
        *("accepted", "accepted", "accepted", "duplicate", "accepted", "conflict"),
        *("accepted", "accepted", "duplicate"),
    ]
    ids = [each.message_id for each in receipts if each.status == "accepted"]
    assert ids == sorted(ids)
    assert receipts[3].message_id == first.message_id
    assert receipts[8].message_id == receipts[7].message_id
    keys = [claim.message.key for claim in queue.claim(limit=10)]
    assert keys == [f"key {n}" for n in (3, 5, 0, 1, 2, 4, 6, 7)]


# SET-2
def test_of_acks_with_a_lost_one_the_others_are_good(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue_many(_messages(5))
    claims = queue.claim(limit=5, lease=10)
    clock.advance(11)
    (again,) = queue.claim(limit=1)

    assert queue.ack_many(claims) == [claims[0]]
    assert queue.stats().done == 4
    again.ack()


# SET-3
def test_a_fence_is_not_given_for_each_id_between_two_far_apart(store: Store, queue: Queue) -> None:
    queue.enqueue_many(_messages(2))
    connection(store).execute("pragma foreign_keys = off")
    connection(store).execute("update fp_delivery set id = 100 where id = 2")

    fences = [claim.fence for claim in queue.claim(limit=2)]

    assert fences == [1, 2]
    assert ask(store.engine.identity.address, "select last_fence from fp_store") == [(2,)]


# SET-2
@pytest.mark.parametrize("policy", ["strict", "skip", "park"])
def test_of_many_that_join_a_lane_one_can_be_claimed(
    store: Store, queue: Queue, clock: FakeClock, policy: LanePolicy
) -> None:
    queue.enqueue(b"first", lane="a", lane_policy=policy, delay=60)
    queue.enqueue_many(
        {"body": b"%d" % n, "lane": lane, "lane_policy": policy, "delay": delay}
        for n, (lane, delay) in enumerate([("a", 0), ("b", 60), ("b", 0), ("c", 0), (None, 0)])
    )

    def bodies() -> list[bytes]:
        return sorted(claim.message.body for claim in queue.claim(limit=10, lease=600))

    assert bodies() == ([b"0", b"2", b"3", b"4"] if policy == "skip" else [b"3", b"4"])
    clock.advance(61)
    assert bodies() == ([] if policy == "skip" else [b"1", b"first"])


# SET-2
@pytest.mark.parametrize("lanes", [4, 40])
def test_each_lane_goes_on_when_many_are_acked_at_once(queue: Queue, lanes: int) -> None:
    queue.enqueue(b"", lane="0", key="first")
    queue.enqueue_many(
        {"body": b"", "lane": f"{n % lanes}", "key": f"{n}"} for n in range(3 * lanes)
    )
    handled: dict[str, list[str | None]] = {}
    rounds = []
    while claims := queue.claim(limit=100):
        rounds.append(len(claims))
        for claim in claims:
            number = int((claim.message.key or "").replace("first", "0"))
            handled.setdefault(f"{number % lanes}", []).append(claim.message.key)
        queue.ack_many(claims)

    assert rounds == [lanes, lanes, lanes, 1]
    assert handled == {
        f"{n}": ["first"] * (n == 0) + [f"{n}", f"{n + lanes}", f"{n + 2 * lanes}"]
        for n in range(lanes)
    }


# SET-2
def test_a_set_that_is_odd_leaves_nothing_of_its_first_try(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fencepost.store.sqlite.queue.sets import claim, leases

    queue.enqueue_many(_messages(3))
    late = leases.leased

    def odd(*args: object) -> object:
        late(*args)  # type: ignore[arg-type]
        raise OddSet

    monkeypatch.setattr(claim, "leased", odd)
    claims = queue.claim(limit=3)
    assert [claim.attempt for claim in claims] == [1, 1, 1]
    assert [claim.fence for claim in claims] == [1, 2, 3]
    assert queue.stats().leased == 3


# SET-4
def test_a_message_with_one_delivery_is_forgotten_when_its_key_was_kept_long_enough(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    queue.enqueue_many(_messages(4, keep_for=60))
    queue.ack_many(queue.claim(limit=4))

    clock.advance(59)
    assert queue.enqueue(b"0", key="key 0").status == "duplicate"
    clock.advance(2)
    assert queue.enqueue(b"0", key="key 0").status == "accepted"
    assert store.sweep() == 3 * 2  # messages and deliveries
    assert queue.stats().done == 0
