"""Claim: the highest priority first, then the oldest, and of a lane one at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fencepost import Claim, InvalidInput, Queue, Store

from ..clock import FakeClock


def _bodies(claims: list[Claim]) -> list[bytes]:
    return [claim.message.body for claim in claims]


def test_an_empty_queue_gives_no_claims(queue: Queue) -> None:
    assert queue.claim() == []


# QUEUE-8, CLAIM-19
def test_the_oldest_comes_first(queue: Queue) -> None:
    queue.enqueue_many([{"body": b"%d" % n} for n in range(5)])

    assert _bodies(queue.claim(limit=3)) == [b"0", b"1", b"2"]
    assert _bodies(queue.claim(limit=3)) == [b"3", b"4"]


# CLAIM-4
def test_what_cannot_be_claimed_hides_nothing_behind_it(queue: Queue) -> None:
    queue.enqueue_many({"body": b"held", "lane": "one"} for _ in range(200))
    queue.enqueue_many({"body": b"later", "delay": 60} for _ in range(200))
    queue.enqueue_many({"body": b"leased"} for _ in range(200))
    assert len(queue.claim(limit=201)) == 201
    queue.enqueue(b"free")

    assert _bodies(queue.claim(limit=1)) == [b"free"]


# QUEUE-8
def test_a_greater_priority_comes_before_an_older_message(queue: Queue) -> None:
    queue.enqueue(b"low", priority=-1)
    queue.enqueue(b"normal")
    queue.enqueue(b"high", priority=5)

    assert _bodies(queue.claim(limit=3)) == [b"high", b"normal", b"low"]


# QUEUE-9, INPUT-7, OUTBOX-3
def test_a_delayed_message_waits_and_then_has_its_place(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"later", delay=timedelta(seconds=60))
    queue.enqueue(b"now")

    assert queue.stats().scheduled == 1
    assert _bodies(queue.claim(limit=2, lease=600)) == [b"now"]
    clock.advance(60)
    queue.enqueue(b"newer")
    assert _bodies(queue.claim(limit=2)) == [b"later", b"newer"]


def test_queues_do_not_see_each_other(store: Store, queue: Queue) -> None:
    queue.enqueue(b"mine")

    assert store.queue("other").claim() == []


# LEASE-17, INGRESS-15
def test_a_lease_is_of_thirty_seconds_unless_asked_for_another(
    queue: Queue, clock: FakeClock
) -> None:
    queue.enqueue(b"work")

    (claim,) = queue.claim()

    assert claim.expires_at == clock.wall / 1000 + 30


# CLAIM-18
def test_who_finds_nothing_is_told_how_long_to_sleep(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    def in_ms() -> int | None:
        at = store.engine.queue.next_at_ms(["mail"])
        return at and at - clock.wall

    assert in_ms() is None
    queue.enqueue(b"now")
    assert in_ms() == 0
    queue.claim(lease=30)
    assert in_ms() == 30_000
    queue.enqueue(b"later", delay=20)
    assert in_ms() == 20_000


def test_a_wall_clock_step_does_not_move_a_lease(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"work")
    queue.claim(lease=30)

    clock.wall += 3_600_000
    assert queue.claim() == []
    clock.wall -= 7_200_000
    clock.boot += 30_000
    assert len(queue.claim()) == 1


# CLAIM-2
@pytest.mark.parametrize(
    "arguments",
    [{"limit": 0}, {"limit": -1}, {"limit": 1.5}, {"lease": 0}, {"lease": -1}, {"lease": None}],
)
def test_a_claim_that_makes_no_sense_is_refused(queue: Queue, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        queue.claim(**arguments)  # type: ignore[arg-type]


# GROUP-4
def test_a_lane_without_a_name_is_no_lane(queue: Queue) -> None:
    queue.enqueue(b"1", lane="")
    queue.enqueue_many([{"body": b"2", "lane": ""}, {"body": b"3", "lane": None}])

    assert len(queue.claim(limit=10)) == 3


# CLAIM-9
def test_of_a_lane_one_is_claimed_at_a_time_oldest_first(queue: Queue) -> None:
    for n in range(3):
        queue.enqueue(b"a%d" % n, lane="a")
        queue.enqueue(b"b%d" % n, lane="b")

    first = queue.claim(limit=10)

    assert _bodies(first) == [b"a0", b"b0"]
    assert queue.claim(limit=10) == []
    first[0].ack()
    assert _bodies(queue.claim(limit=10)) == [b"a1"]


def test_a_lane_waits_for_its_head_to_be_retried(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"head", lane="a")
    queue.enqueue(b"next", lane="a")
    (head,) = queue.claim(limit=2)

    head.retry(delay=60)

    assert queue.claim() == []
    clock.advance(60)
    assert _bodies(queue.claim(limit=2)) == [b"head"]


@pytest.mark.parametrize("ending", ["ack", "bury", "cancel"])
def test_a_lane_goes_on_when_its_head_has_ended(queue: Queue, store: Store, ending: str) -> None:
    queue.enqueue(b"head", lane="a")
    queue.enqueue(b"next", lane="a")

    if ending == "cancel":
        assert store.cancel(1)
    else:
        (head,) = queue.claim()
        head.ack() if ending == "ack" else head.bury("no")

    assert _bodies(queue.claim(limit=2)) == [b"next"]


# INPUT-6
def test_a_lane_goes_on_when_its_head_dies_of_expiry(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"head", lane="a", max_attempts=8)
    queue.enqueue(b"next", lane="a")

    for _ in range(8):
        assert _bodies(queue.claim(limit=2, lease=1)) == [b"head"]
        clock.advance(1)

    assert _bodies(queue.claim(limit=2, lease=1)) == [b"next"]
    assert queue.stats().dead == 1


def test_a_replayed_head_stands_before_the_rest_of_its_lane_again(
    queue: Queue, store: Store
) -> None:
    queue.enqueue(b"head", lane="a")
    queue.enqueue(b"next", lane="a")
    queue.enqueue(b"last", lane="a")
    (head,) = queue.claim()
    head.bury("no")
    (following,) = queue.claim()

    store.replay(head.id)

    assert queue.claim() == []
    following.ack()
    assert _bodies(queue.claim(limit=3)) == [b"head"]


def test_cancelling_what_waits_in_a_lane_does_not_move_the_lane(queue: Queue, store: Store) -> None:
    """After a replay the oldest of a lane need not be the one that is claimed."""
    queue.enqueue(b"replayed", lane="a")
    (dead,) = queue.claim()
    dead.bury("no")
    queue.enqueue(b"claimed", lane="a")
    queue.enqueue(b"waiting", lane="a")
    (claimed,) = queue.claim()
    store.replay(dead.id)

    assert store.cancel(3)

    assert queue.claim(limit=3) == []
    claimed.ack()
    assert _bodies(queue.claim(limit=3)) == [b"replayed"]
