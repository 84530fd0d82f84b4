"""Joins: what waits in a lane is handed over together, and ends together or one by one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fencepost import Claim, LeaseLost, Store
from fencepost.store.engine.durable.joins import Apart
from fencepost.store.types.messages.draft import Address, Draft, Join
from fencepost.store.types.messages.limits import Limits

from ..clock import FakeClock

WINDOW = 5.0


def arrive(store: Store, *keys: str, lane: str = "one", queue: str = "mail", **join: int) -> None:
    """Have messages arrive in one commit, each with a key of its own."""
    how = Join(join.get("window_ms", 5000), join.get("most", 500), join.get("bound_ms"))
    address = Address(queue, lane=lane, join=how)
    store.engine.queue.enqueue(
        [Draft("s", "s", key, "", {}, key.encode(), [address]) for key in keys]
    )


def claim(
    store: Store, *, most: int = 500, limit: int = 10, limits: Mapping[str, Limits] | None = None
) -> list[Claim]:
    """Claim as a worker does whose handler takes so many."""
    leases, _ = store.engine.queue.claim(
        ["mail"], limit=limit, lease_ms=30_000, owner=1, limits=limits, joins={"mail": most}
    )
    return [Claim(store.engine, leased) for leased in leases]


def keys(claim: Claim) -> str:
    """Return the keys of a group, in order."""
    return "".join(message.key or "?" for message in claim.messages)


def one(store: Store, most: int = 500) -> Claim:
    """Claim one group."""
    (found,) = claim(store, most=most)
    return found


# JOIN-1, JOIN-2, CLAIM-10
def test_what_arrives_within_the_window_is_one_claim_oldest_first(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a")
    clock.advance(3)
    arrive(store, "b", "c")
    clock.advance(1.9)
    assert claim(store) == []
    assert store.engine.queue.next_at_ms(["mail"]) == store.engine.clock.now_ms() + 100

    clock.advance(0.1)
    group = one(store)

    assert keys(group) == "abc"
    assert [message.body for message in group.messages] == [b"a", b"b", b"c"]
    assert store.queue("mail").stats().leased == 3


# JOIN-2
def test_what_arrives_during_a_call_waits_from_its_own_arrival(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a")
    clock.advance(WINDOW)
    first = one(store)
    clock.advance(1)
    arrive(store, "b")
    clock.advance(1)
    arrive(store, "c")
    assert claim(store) == []

    clock.advance(1)
    first.ack()
    assert claim(store) == []
    assert store.queue("mail").stats().scheduled == 1
    clock.advance(2.9)
    assert claim(store) == []
    clock.advance(0.1)

    assert keys(one(store)) == "bc"


# JOIN-2
def test_what_has_waited_its_window_behind_a_call_comes_at_once(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a")
    clock.advance(WINDOW)
    first = one(store)
    arrive(store, "b")
    clock.advance(WINDOW)

    first.ack()

    assert keys(one(store)) == "b"


# JOIN-2
@pytest.mark.parametrize("at_once", [True, False])
def test_the_window_ends_when_there_are_as_many_as_fit(store: Store, at_once: bool) -> None:
    names = ["a", "b", "c", "d"]
    for part in [names] if at_once else [[name] for name in names]:
        assert claim(store, most=3) == []
        arrive(store, *part, most=3)
        if part == ["c"]:
            break

    group = one(store, most=3)

    assert keys(group) == "abc"


# JOIN-3
def test_debounce_begins_the_window_anew_up_to_its_bound(store: Store, clock: FakeClock) -> None:
    for name in "abcd":
        arrive(store, name, bound_ms=14_000)
        assert claim(store) == []
        clock.advance(4)

    assert keys(one(store)) == "abcd"  # 14 s after the first, though the last came 4 s ago


# JOIN-3
def test_debounce_ends_once_nothing_more_comes(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", bound_ms=50_000)
    clock.advance(4)
    arrive(store, "b", bound_ms=50_000)
    clock.advance(4.9)
    assert claim(store) == []
    clock.advance(0.1)

    assert keys(one(store)) == "ab"


# JOIN-1
def test_keys_are_apart_and_each_has_one_call_at_a_time(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b", lane="one")
    arrive(store, "x", "y", lane="two")
    clock.advance(WINDOW)

    groups = claim(store)
    arrive(store, "c", lane="one")
    clock.advance(WINDOW)

    assert sorted(map(keys, groups)) == ["ab", "xy"]
    assert claim(store) == []
    assert len({group.fence for group in groups}) == 2


# JOIN-4
def test_a_group_is_as_large_as_there_is_room(store: Store, clock: FakeClock) -> None:
    store.queue("mail", max_leased=3)
    arrive(store, *"abcde")
    clock.advance(WINDOW)

    group = one(store)

    assert keys(group) == "abc"
    assert claim(store) == []
    group.ack()
    assert keys(one(store)) == "de"


# JOIN-4
def test_no_more_than_most_are_handed_over_and_the_rest_comes_next(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, *"abcde")
    clock.advance(WINDOW)
    found = []
    while groups := claim(store, most=2):
        found += groups
        groups[0].ack()

    assert list(map(keys, found)) == ["ab", "cd", "e"]


def test_who_does_not_join_gets_the_head_alone(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)

    (head,) = store.queue("mail").claim(limit=10)

    assert keys(head) == "a"


# JOIN-5
def test_an_ack_ends_what_was_handed_over_and_nothing_else(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)
    group = one(store)
    arrive(store, "c")

    group.ack({"n": 2})
    group.ack({"n": 2})  # told twice is told once

    stats = store.queue("mail").stats()
    assert (stats.done, stats.leased, stats.ready, stats.scheduled) == (2, 0, 0, 1)
    (left,) = store.deliveries(state="ready")
    assert left.key == "c"
    assert store.delivery(1).state == "done"  # type: ignore[union-attr]


# JOIN-5
@pytest.mark.parametrize("verb", ["ack", "retry", "release", "renew", "transaction", "settle"])
def test_with_one_of_a_group_lost_nothing_of_it_can_be_ended(
    store: Store, clock: FakeClock, verb: str
) -> None:
    arrive(store, "a", "b", "c")
    clock.advance(WINDOW)
    group = one(store)
    clock.advance(31)
    claim(store, limit=0)  # which takes all of it back
    clock.advance(60)
    again = one(store)
    assert keys(again) == "ab"
    assert again.fence > group.fence
    before = [store.delivery(id) for id in (1, 2, 3)]

    with pytest.raises(LeaseLost) as lost:
        if verb == "renew":
            group.renew(60)
        elif verb == "transaction":
            group.transaction().__enter__()
        elif verb == "settle":
            store.engine.durable.joins.settle(group.hold, [Apart(2, None, "no")], None)
        else:
            getattr(group, verb)()

    assert lost.value.what == "delivery d1"
    assert [store.delivery(id) for id in (1, 2, 3)] == before


# JOIN-5
def test_the_ack_of_a_late_group_counts_while_nobody_has_begun(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a", "b", "c")
    clock.advance(WINDOW)
    group = one(store)
    clock.advance(31)
    claim(store, limit=0)
    assert store.queue("mail").stats().leased == 0

    group.ack()

    assert store.queue("mail").stats().done == 3


# JOIN-5
def test_a_renewal_is_of_the_whole_group(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)
    group = one(store)

    group.renew(120)
    clock.advance(100)

    assert claim(store) == []
    assert store.queue("mail").stats().leased == 2


# JOIN-5
def test_a_group_that_is_given_back_is_as_it_was(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)
    first = one(store)
    first.release()
    first.release()
    arrive(store, "c")

    again = one(store)

    assert keys(again) == "abc"
    assert again.attempt == 1
    assert [each.attempt for each in again.joined] == [1, 1]


# JOIN-5
def test_acks_and_releases_of_groups_ride_with_the_next_claim(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a", "b", lane="one")
    arrive(store, "x", "y", lane="two")
    store.queue("mail").enqueue(b"", key="single")
    clock.advance(WINDOW)
    by_key = {keys(each): each for each in claim(store)}
    arrive(store, "c", lane="one")
    clock.advance(WINDOW)

    leases, refused = store.engine.queue.claim(
        ["mail"],
        limit=10,
        lease_ms=30_000,
        acks=[(by_key["ab"].hold, None), (by_key["single"].hold, None)],
        releases=[by_key["xy"].hold],
        joins={"mail": 500},
    )

    assert refused == []
    found = [keys(Claim(store.engine, leased)) for leased in leases]
    assert sorted(found) == ["c", "xy"]
    leases, refused = store.engine.queue.claim(
        ["mail"], limit=1, lease_ms=1, acks=[(by_key["xy"].hold, None)], joins={"mail": 500}
    )
    assert (leases, refused) == ([], [by_key["xy"].hold])


# JOIN-6
def test_one_that_fails_stands_aside_and_the_others_are_done(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a", "b", "c")
    clock.advance(WINDOW)
    group = one(store)
    arrive(store, "d")

    store.engine.durable.joins.settle(group.hold, [Apart(2, 60_000, "later")], None)
    store.engine.durable.joins.settle(group.hold, [Apart(2, 60_000, "later")], None)
    clock.advance(WINDOW)
    assert keys(one(store)) == "d"  # which does not wait for it

    failed = store.delivery(2)
    assert failed is not None
    assert (failed.state, failed.attempt, failed.error) == ("ready", 1, "later")
    assert store.queue("mail").stats().done == 2


# JOIN-6
def test_one_that_stood_aside_comes_back_alone(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)
    group = one(store)
    store.engine.durable.joins.settle(group.hold, [Apart(1, 60_000, "later")], None)
    clock.advance(60)
    arrive(store, "c", "d")

    again = one(store)
    assert keys(again) == "a"
    assert again.attempt == 2
    again.ack()
    clock.advance(WINDOW)

    assert keys(one(store)) == "cd"


# JOIN-6
def test_one_of_a_group_that_cannot_be_handled_is_dead_with_its_error(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)

    store.engine.durable.joins.settle(one(store).hold, [Apart(2, None, "never")], '"fine"')

    (dead,) = store.deliveries(state="dead")
    assert (dead.id, dead.error, dead.attempt) == (2, "never", 1)
    assert store.content(1).result == "fine"  # type: ignore[union-attr]


# JOIN-7
def test_a_group_that_fails_counts_no_attempt_and_comes_back_by_halves(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, *"abcde")
    clock.advance(WINDOW)
    one(store).retry(10, "no")
    arrive(store, "f")
    assert claim(store) == []
    clock.advance(10)

    half = one(store)

    assert keys(half) == "abc"
    assert [half.attempt, *(each.attempt for each in half.joined)] == [1, 1, 1]
    half.ack()
    assert keys(one(store)) == "def"


# JOIN-7, CLAIM-17
def test_a_poison_is_found_by_halves_and_dies_alone(store: Store, clock: FakeClock) -> None:
    names = [chr(ord("A") + n) for n in range(50)]
    arrive(store, *names)
    limits = {"mail": Limits(max_attempts=3)}
    clock.advance(WINDOW)
    calls, alone = 0, 0
    while store.queue("mail").stats().done + store.queue("mail").stats().dead < len(names):
        for group in claim(store, limits=limits):
            calls += 1
            if "Z" not in keys(group):
                group.ack()
                continue
            alone += keys(group) == "Z"
            group.retry(1, "poison")
        clock.advance(1)

    (dead,) = store.deliveries(state="dead")
    assert (dead.key, dead.attempt) == ("Z", 3)
    assert alone == 3
    assert store.queue("mail").stats().done == 49
    assert calls < 30


# JOIN-7
def test_more_halves_than_attempts_kill_no_innocent(store: Store, clock: FakeClock) -> None:
    names = [chr(ord("A") + n) for n in range(32)]
    arrive(store, *names)
    limits = {"mail": Limits(max_attempts=1)}
    clock.advance(WINDOW)
    while store.queue("mail").stats().done + store.queue("mail").stats().dead < len(names):
        for group in claim(store, limits=limits):
            group.retry(1, "poison") if "A" in keys(group) else group.ack()
        clock.advance(1)

    assert [dead.key for dead in store.deliveries(state="dead")] == ["A"]


# JOIN-8
def test_a_group_whose_lease_expires_is_halved(store: Store, clock: FakeClock) -> None:
    arrive(store, *"abcd")
    clock.advance(WINDOW)
    one(store)
    clock.advance(30)
    assert claim(store) == []
    clock.advance(60)

    again = one(store)

    assert keys(again) == "ab"
    assert again.attempt == 1


# JOIN-8
@pytest.mark.parametrize("overdue", [None, 1])
def test_a_worker_that_dies_with_a_group_halves_it_and_blames_one_that_was_alone(
    store: Store, clock: FakeClock, overdue: int | None
) -> None:
    arrive(store, *"abc")
    clock.advance(WINDOW)
    pools = store.engine.pools
    pool, held = pools.begin(["mail"], 1), []
    for _ in range(4):
        worker = pools.register(pool)
        leases, _ = store.engine.queue.claim(
            ["mail"], limit=1, lease_ms=30_000, owner=worker, joins={"mail": 500}
        )
        held += [keys(Claim(store.engine, each)) for each in leases]
        ended = pools.retire(worker, "it died", crashed=overdue is None, overdue=overdue)
        assert ended.given_back == len(held[-1])
        clock.advance(3600)

    assert held == ["abc", "ab", "a", "b" if overdue else "a"]
    rows = {each.id: (each.attempt, each.crashes) for each in store.deliveries()}
    assert (rows[2][1], rows[3]) == (0, (0, 0))
    assert rows[1] == ((1, 0) if overdue else (2, 2))


# JOIN-10
def test_a_transaction_ends_the_whole_group(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)
    group = one(store)

    with group.transaction():
        pass

    assert store.queue("mail").stats().done == 2


# JOIN-1
def test_one_without_a_key_is_handed_over_alone_and_at_once(store: Store) -> None:
    address = Address("mail", join=Join(5000, 500))
    store.engine.queue.enqueue([Draft("s", "s", key, "", {}, b"", [address]) for key in "ab"])

    assert sorted(map(keys, claim(store))) == ["a", "b"]
