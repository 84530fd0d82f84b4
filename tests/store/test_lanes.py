"""Lanes: of one lane one at a time, oldest first; what a stuck head does is its policy."""

from __future__ import annotations

import pytest

from fencepost import InvalidInput, Queue, Store

from ..clock import FakeClock


def _fill(queue: Queue, policy: str, keys: str = "abc") -> None:
    queue.enqueue_many(
        {"body": b"", "key": key, "lane": "one", "lane_policy": policy} for key in keys
    )


def _keys(queue: Queue, limit: int = 10) -> list[str | None]:
    return [claim.message.key for claim in queue.claim(limit=limit, lease=600)]


# CLAIM-1, CLAIM-11, OUTBOX-2, INGRESS-4, FP-8
@pytest.mark.parametrize("policy", ["strict", "skip", "park"])
def test_of_a_lane_one_is_claimed_at_a_time_whatever_the_policy(queue: Queue, policy: str) -> None:
    _fill(queue, policy)
    queue.enqueue(b"", key="free")

    first = queue.claim(limit=10)
    second = queue.claim(limit=10)
    for claim in first:
        claim.ack()

    assert [claim.message.key for claim in first] == ["a", "free"]
    assert second == []
    assert _keys(queue) == ["b"]


# CLAIM-7, DRAIN-1
@pytest.mark.parametrize(("policy", "next"), [("strict", []), ("park", []), ("skip", ["b"])])
def test_a_head_that_waits_for_its_retry(
    queue: Queue, clock: FakeClock, policy: str, next: list[str]
) -> None:
    _fill(queue, policy)
    (head,) = queue.claim()
    head.retry(delay=60)

    assert _keys(queue) == next
    clock.advance(60)

    # The one that was let go before is not overtaken in its turn.
    assert _keys(queue) == ([] if next else ["a"])


def test_a_skipped_head_comes_next_once_its_time_has_come(queue: Queue, clock: FakeClock) -> None:
    _fill(queue, "skip")
    (head,) = queue.claim()
    head.retry(delay=60)
    (second,) = queue.claim(lease=600)
    clock.advance(60)
    assert queue.claim() == []
    second.ack()

    assert _keys(queue) == ["a"]


@pytest.mark.parametrize("ending", ["ack", "bury", "cancel", "expiry"])
def test_a_skipped_one_whose_time_has_come_goes_next_though_nobody_looked_meanwhile(
    queue: Queue, store: Store, clock: FakeClock, ending: str
) -> None:
    queue.enqueue(b"", key="a", lane="one", lane_policy="skip", delay=60)
    queue.enqueue(b"", key="b", lane="one", lane_policy="skip", max_attempts=1)
    queue.enqueue(b"", key="c", lane="one", lane_policy="skip")
    (second,) = queue.claim(lease=60)
    clock.advance(60)
    if ending == "ack":
        second.ack()
    elif ending == "bury":
        second.bury("no")
    elif ending == "cancel":
        assert store.cancel(second.id)

    assert _keys(queue) == ["a"]


def test_what_joins_a_lane_waits_behind_a_skipped_one_whose_time_has_come(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"", key="dead", lane="one", lane_policy="skip")
    (dead,) = queue.claim()
    dead.bury("no")
    queue.enqueue(b"", key="a", lane="one", lane_policy="skip", delay=60)
    clock.advance(60)
    queue.enqueue(b"", key="b", lane="one", lane_policy="skip")
    assert store.replay(dead.id)

    assert _keys(queue) == ["a"]


def test_a_lane_of_nothing_but_skipped_ones_goes_on_when_the_first_is_due(
    queue: Queue, clock: FakeClock
) -> None:
    _fill(queue, "skip", "ab")
    for delay in (60, 30):
        (claim,) = queue.claim()
        claim.retry(delay=delay)
    assert queue.claim() == []

    clock.advance(30)
    (second,) = queue.claim(lease=600)
    clock.advance(40)

    assert second.message.key == "b"
    assert queue.claim() == []
    second.ack()
    assert _keys(queue) == ["a"]


def test_a_delayed_message_that_may_be_skipped_keeps_nobody_waiting(
    queue: Queue, clock: FakeClock
) -> None:
    queue.enqueue(b"", key="later", lane="one", lane_policy="skip", delay=60)
    queue.enqueue(b"", key="now", lane="one", lane_policy="skip")

    (claim,) = queue.claim(limit=10)
    claim.ack()
    clock.advance(60)

    assert claim.message.key == "now"
    assert _keys(queue) == ["later"]


@pytest.mark.parametrize("policy", ["strict", "skip"])
def test_a_dead_head_keeps_nobody_waiting(queue: Queue, policy: str) -> None:
    _fill(queue, policy)
    (head,) = queue.claim()
    head.bury("no")

    assert _keys(queue) == ["b"]


# FP-8: a parked lane
@pytest.mark.parametrize("death", ["bury", "attempts", "expiry"])
def test_a_parked_lane_waits_for_an_operator_and_other_lanes_do_not(
    queue: Queue, store: Store, clock: FakeClock, death: str
) -> None:
    queue.enqueue(b"", key="a", lane="one", lane_policy="park", max_attempts=1)
    _fill(queue, "park", "bc")
    queue.enqueue(b"", key="other", lane="two", lane_policy="park")
    (head,) = queue.claim(lease=10)
    if death == "expiry":
        clock.advance(11)
    elif death == "attempts":
        assert not head.retry()
    else:
        head.bury("no")

    assert _keys(queue) == ["other"]
    queue.enqueue(b"", key="d", lane="one", lane_policy="park")
    assert queue.claim() == []

    assert store.replay(head.id)
    (again,) = queue.claim(limit=10)
    assert again.message.key == "a"
    again.ack()
    assert _keys(queue) == ["b"]


def test_giving_up_a_dead_head_lets_its_parked_lane_go_on(queue: Queue, store: Store) -> None:
    _fill(queue, "park")
    (head,) = queue.claim()
    head.bury("no")

    assert store.cancel(head.id)

    assert _keys(queue) == ["b"]


def test_a_parked_dead_letter_is_not_forgotten_while_its_lane_waits(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"", key="a", lane="one", lane_policy="park", keep_for=1)
    (head,) = queue.claim()
    head.bury("no")
    clock.advance(3600)

    assert queue.enqueue(b"", key="a", lane="one").status == "duplicate"
    assert store.cancel(head.id)
    clock.advance(1)
    assert queue.enqueue(b"", key="a", lane="one").status == "accepted"


# CLAIM-7
def test_policies_may_be_mixed_in_one_lane(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"", key="a", lane="one", lane_policy="skip")
    queue.enqueue(b"", key="b", lane="one", lane_policy="strict")
    queue.enqueue(b"", key="c", lane="one", lane_policy="skip")
    (first,) = queue.claim()
    first.retry(delay=60)
    (second,) = queue.claim()
    second.retry(delay=90)

    assert [first.message.key, second.message.key] == ["a", "b"]
    clock.advance(60)
    assert queue.claim() == []  # "b" waits, and it is one that others wait for
    clock.advance(30)
    third = queue.claim(limit=10)
    assert [claim.message.key for claim in third] == ["b"]
    third[0].ack()
    assert _keys(queue) == ["a"]


def test_one_that_dies_late_behind_an_older_one_does_not_park_the_lane(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    older = store.queue("other").enqueue(b"", key="a", lane="one", lane_policy="park")
    queue.enqueue(b"", key="b", lane="one", lane_policy="park")
    (late,) = queue.claim(lease=10)
    clock.advance(10)
    (moved,) = store.deliveries(message=older.message_id)
    assert store.move_many([moved.id], "mail")

    late.bury("no")

    assert store.replay(late.id)
    assert _keys(queue) == ["a"]


def test_an_unknown_policy_is_refused(queue: Queue) -> None:
    with pytest.raises(InvalidInput, match="strict, skip, park"):
        queue.enqueue(b"", lane="one", lane_policy="fifo")  # type: ignore[arg-type]
