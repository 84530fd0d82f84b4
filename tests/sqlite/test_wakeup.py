"""A commit wakes whoever waits for work, in whatever process."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fencepost import Queue, Store, connect

from ..processes import line_of, running

# Far longer than a wake-up takes, and than any test may.
LONG = 600.0

_WAITER = """
import select, sys
from fencepost import connect
store = connect(sys.argv[1])
store.engine.wakeup.clear()
print("waits", flush=True)
select.select([store.engine.wakeup.fileno()], [], [], 600)
print("woken", store.engine.queue.next_at_ms(["mail"]), flush=True)
"""


def _has_rung(path: str) -> bool:
    fifo = os.open(f"{path}-wakeup", os.O_RDWR | os.O_NONBLOCK)
    try:
        return bool(os.read(fifo, 65536))
    except BlockingIOError:
        return False
    finally:
        os.close(fifo)


def _enqueue_within(store: Store) -> None:
    with store.transaction():
        store.queue("mail").enqueue(b"more")
        store.engine.wakeup.clear()  # what was rung before the commit has been slept over again


# QUEUE-14
def test_a_message_wakes_a_waiter_in_another_process(
    tmp_path: Path, address: str, queue: Queue
) -> None:
    with running(["-c", _WAITER, address], cwd=tmp_path) as waiter:
        assert line_of(waiter) == "waits"
        started = time.monotonic()

        queue.enqueue(b"hello")

        assert line_of(waiter) == "woken 0"
        assert time.monotonic() - started < LONG / 10


@pytest.mark.parametrize(
    "verb", ["enqueue", "retry", "release", "replay", "transaction", "ack in a lane", "cancel"]
)
def test_what_may_have_made_work_rings(store: Store, queue: Queue, verb: str) -> None:
    queue.enqueue_many({"body": b"hello", "lane": "one"} for _ in range(2))
    (claim,) = queue.claim()
    if verb == "cancel":
        claim.release()
    if verb == "replay":
        claim.bury("why")
    store.engine.wakeup.clear()
    calls: dict[str, Callable[[], object]] = {
        "enqueue": lambda: queue.enqueue(b"more"),
        "retry": lambda: claim.retry(delay=0),
        "release": claim.release,
        "replay": lambda: store.replay(claim.id),
        "ack in a lane": claim.ack,
        "cancel": lambda: store.cancel(claim.id),
        "transaction": lambda: _enqueue_within(store),
    }

    calls[verb]()

    assert _has_rung(store.engine.identity.address)


def test_a_duplicate_and_an_idle_claim_ring_nothing(store: Store, queue: Queue) -> None:
    queue.enqueue(b"hello", key="k")
    queue.claim(limit=2)
    store.engine.wakeup.clear()

    queue.enqueue(b"hello", key="k")
    queue.claim()
    with store.transaction():
        pass

    assert not _has_rung(store.engine.identity.address)


def test_a_full_bell_keeps_nobody_waiting(store: Store, queue: Queue) -> None:
    fifo = os.open(f"{store.engine.identity.address}-wakeup", os.O_WRONLY)
    os.write(fifo, bytes(65_536))  # all that a FIFO holds; fifo(7)
    os.close(fifo)

    assert queue.enqueue(b"hello").status == "accepted"
    heard = store.engine.wakeup.fileno()
    assert heard is not None
    select.select([heard], [], [], LONG)
    store.engine.wakeup.clear()
    assert not _has_rung(store.engine.identity.address)


# QUEUE-14
def test_a_fifo_taken_away_costs_no_message(address: str, store: Store, queue: Queue) -> None:
    os.unlink(f"{address}-wakeup")

    assert queue.enqueue(b"hello").status == "accepted"
    with connect(address) as other:
        assert len(other.queue("mail").claim()) == 1


# FP-14
def test_who_waits_for_a_full_queue_is_woken_once_there_is_room(store: Store, address: str) -> None:
    queue = store.queue("mail", max_leased=2)
    queue.enqueue_many({"body": b""} for _ in range(6))
    first, second = queue.claim(limit=2)
    store.engine.wakeup.clear()

    first.ack()
    assert _has_rung(address)
    queue.claim()
    assert not _has_rung(address)
    store.queue("mail", max_leased=3)
    assert _has_rung(address)
    second.ack()
    assert not _has_rung(address)  # there was room all the time
    store.pause("mail")
    assert not _has_rung(address)
    store.resume("mail")
    assert _has_rung(address)


def test_who_acks_and_takes_the_room_again_wakes_nobody(store: Store, address: str) -> None:
    queue = store.queue("mail", max_leased=2)
    queue.enqueue_many({"body": b""} for _ in range(6))
    held = queue.claim(limit=2)
    store.engine.wakeup.clear()

    for claim in held:
        store.engine.queue.claim(["mail"], limit=1, lease_ms=30_000, acks=[(claim.hold, None)])

    assert not _has_rung(address)
