"""Caps on a queue: exact, and paid for by whoever is over, not by those who wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import InvalidInput, LimitExceeded, Queue, QueueFull, Store, connect

from ..clock import FakeClock
from ..kits import Kit
from ..processes import PATIENCE_SECONDS, running


@pytest.fixture
def small(store: Store) -> Queue:
    """A queue with room for three."""
    return store.queue("mail", max_rows=3)


# FP-2, FP-10
def test_at_its_cap_a_queue_is_full_and_nothing_is_stored(small: Queue, store: Store) -> None:
    small.enqueue_many({"body": b"", "key": f"{n}"} for n in range(3))

    with pytest.raises(QueueFull) as caught:
        small.enqueue(b"", key="one more")

    assert caught.value.code == "queue_full"
    assert caught.value.retry_after > 0
    assert caught.value.path == store.engine.identity.address
    assert small.stats().ready == 3


def test_what_is_ready_scheduled_or_leased_takes_room(small: Queue) -> None:
    small.enqueue(b"", delay=60)
    small.enqueue(b"")
    (leased,) = small.claim()
    small.enqueue(b"")
    with pytest.raises(QueueFull):
        small.enqueue(b"")

    leased.ack()

    assert small.enqueue(b"").status == "accepted"


def test_a_duplicate_needs_no_room(small: Queue) -> None:
    small.enqueue_many({"body": b"", "key": f"{n}"} for n in range(3))

    assert small.enqueue(b"", key="0").status == "duplicate"
    assert small.enqueue(b"other", key="0").status == "conflict"


def test_many_are_stored_when_there_is_room_for_all(small: Queue) -> None:
    with pytest.raises(QueueFull):
        small.enqueue_many({"body": b"", "key": f"{n}"} for n in range(4))
    assert small.stats().ready == 0

    small.enqueue_many({"body": b"", "key": f"{n}"} for n in range(3))
    assert small.stats().ready == 3


# KV-39
def test_bodies_are_measured_as_they_came(store: Store) -> None:
    queue = store.queue("mail", max_bytes=10_000)
    queue.enqueue(b"x" * 9_000)  # stored compressed, in far less

    with pytest.raises(QueueFull):
        queue.enqueue(b"x" * 1_001)
    queue.enqueue(b"x" * 1_000)
    for claim in queue.claim(limit=2):
        claim.bury("no")

    assert queue.enqueue(b"x" * 10_000).status == "accepted"


def test_what_would_never_fit_is_over_the_limit(store: Store) -> None:
    queue = store.queue("mail", max_bytes=10)

    with pytest.raises(LimitExceeded):
        queue.enqueue(b"x" * 11)


def test_replaying_and_retrying_are_never_refused(small: Queue, store: Store) -> None:
    small.enqueue_many({"body": b""} for _ in range(3))
    (dead,) = small.claim()
    dead.bury("no")
    small.enqueue(b"")

    assert store.replay(dead.id)

    assert small.stats().ready == 4
    with pytest.raises(QueueFull):
        small.enqueue(b"")


def test_a_cap_counts_for_everybody_until_it_is_changed(store: Store, kit: Kit) -> None:
    store.queue("mail", max_rows=1).enqueue(b"")
    with kit.open() as other:
        with pytest.raises(QueueFull):
            other.queue("mail").enqueue(b"")
        other.queue("mail", max_bytes=100)  # leaves the other cap as it is
        with pytest.raises(QueueFull):
            store.queue("mail").enqueue(b"")

        other.queue("mail", max_rows=None)

    assert store.queue("mail").enqueue(b"").status == "accepted"


@pytest.mark.parametrize("cap", [0, -1, 1.5, "10", True])
def test_a_cap_that_makes_no_sense_is_refused(store: Store, cap: object) -> None:
    with pytest.raises(InvalidInput, match="max_rows"):
        store.queue("mail", max_rows=cap)  # type: ignore[arg-type]


# KV-40: a full queue is no other queue's business
def test_a_full_queue_does_not_fill_others(small: Queue, store: Store) -> None:
    small.enqueue_many({"body": b""} for _ in range(3))

    assert store.queue("other").enqueue(b"").status == "accepted"


_WRITER = """
import sys
from fencepost import QueueFull, connect

accepted = 0
with connect(sys.argv[1]) as store:
    queue = store.queue("mail")
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(200):
        try:
            queue.enqueue(b"x")
            accepted += 1
        except QueueFull:
            pass
print(accepted, flush=True)
"""


# FP-10
@pytest.mark.processes
def test_writers_at_once_never_pass_the_cap(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    with connect(path) as store:
        queue = store.queue("mail", max_rows=150)
        writers = [running(["-c", _WRITER, str(path)], cwd=tmp_path) for _ in range(4)]
        with writers[0] as a, writers[1] as b, writers[2] as c, writers[3] as d:
            processes = [a, b, c, d]
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            most = 0
            while any(process.poll() is None for process in processes):
                most = max(most, queue.stats().ready)
            for process in processes:
                assert process.wait(PATIENCE_SECONDS) == 0
            accepted = sum(int(process.stdout.read()) for process in processes if process.stdout)

        assert accepted == 150
        assert most <= 150
        assert queue.stats().ready == 150


def test_an_expired_key_is_not_forgotten_for_a_message_that_has_no_room(
    store: Store, clock: FakeClock
) -> None:
    queue = store.queue("mail", max_rows=1)
    queue.enqueue(b"first", key="k", keep_for=1)
    queue.claim()[0].ack()
    queue.enqueue(b"other")
    clock.advance(2)

    with pytest.raises(QueueFull):
        queue.enqueue(b"again", key="k")
    (answer,) = store.engine.queue.enqueue_each([queue._draft(b"again", key="k")])

    assert isinstance(answer, QueueFull)
    assert queue.stats().done == 1
