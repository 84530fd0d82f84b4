"""Waiting for a message: told by the commit that ends it, however and wherever it ends."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Collection, Sequence
from queue import SimpleQueue

import pytest

from fencepost import (
    Claim,
    Ended,
    InvalidInput,
    Queue,
    Receipt,
    Store,
    StoreBusy,
    StoreCorrupt,
    StoreFailed,
)
from fencepost.store.types.durable.ended import Asked
from fencepost.store.types.messages.draft import Address, Draft, Join
from fencepost.store.waiting.ends import Watch

from ..kits import Kit

PATIENCE_SECONDS = 30.0


def told(store: Store) -> set[int]:
    """Return what a listener is told; it waits for that, and not for the time to pass."""
    return set(store.engine.durable.ends.hear(PATIENCE_SECONDS))


def claim(queue: Queue, lease: float = 30) -> Claim:
    (found,) = queue.claim(lease=lease)
    return found


def look(store: Store, message: int, queue: str | None = None) -> object:
    (found,) = store.engine.durable.ends.look([Asked(message, queue)])
    return found


def _fused(store: Store, claim: Claim) -> None:
    _, refused = store.engine.queue.claim(
        ["other"], limit=1, lease_ms=30_000, acks=[(claim.hold, '"x"')]
    )
    assert refused == []


def _completed(store: Store, claim: Claim) -> None:
    with claim.transaction():
        pass


def _cancelled(store: Store, claim: Claim) -> None:
    claim.release()
    assert store.cancel(claim.id).kind == "cancelled"


ENDS: dict[str, tuple[Callable[[Store, Claim], object], Ended]] = {
    "ack": (lambda _, claim: claim.ack("x"), Ended("done", "x")),
    "ack of many": (lambda store, claim: store.queue("mail").ack_many([claim]), Ended("done")),
    "ack with the next claim": (_fused, Ended("done", "x")),
    "transaction": (_completed, Ended("done")),
    "bury": (lambda _, claim: claim.bury("no"), Ended("dead", None, "no")),
    "last attempt": (lambda _, claim: claim.retry(0, "no"), Ended("dead", None, "no")),
    "cancel": (_cancelled, Ended("cancelled")),
}


# AWAIT-1
@pytest.mark.parametrize("listens", ["before the claim", "after it"])
@pytest.mark.parametrize("end", ENDS)
def test_every_end_is_told_to_who_listens_and_says_what_has_become_of_it(
    store: Store, queue: Queue, kit: Kit, end: str, listens: str
) -> None:
    ends_it, ended = ENDS[end]
    message = queue.enqueue(b"x", max_attempts=1).message_id
    ends = store.engine.durable.ends
    if listens == "before the claim":
        ends.listen([message])
    with kit.open() as elsewhere:
        claimed = claim(elsewhere.queue("mail"))
        if listens == "after it":
            ends.listen([message])

        assert look(store, message) is None
        ends_it(elsewhere, claimed)

        assert told(store) == {message}
    assert look(store, message) == ended


# AWAIT-1
def test_the_expiry_of_a_last_attempt_is_told(store: Store, queue: Queue, kit: Kit) -> None:
    message = queue.enqueue(b"x", max_attempts=1).message_id
    store.engine.durable.ends.listen([message])
    claim(queue, lease=1)
    kit.clock.advance(2)

    assert queue.claim() == []

    assert told(store) == {message}
    found = look(store, message)
    assert isinstance(found, Ended)
    assert found.state == "dead"


# AWAIT-1
def test_what_is_tried_again_or_not_listened_for_is_not_told(store: Store, queue: Queue) -> None:
    receipts = queue.enqueue_many([{"body": b"%d" % n} for n in range(3)])
    store.engine.durable.ends.listen([receipts[0].message_id, receipts[2].message_id])

    first, second, third = queue.claim(limit=3)
    first.retry(0, "not yet")
    second.ack()
    third.ack()

    assert told(store) == {receipts[2].message_id}


# AWAIT-1
def test_a_message_with_several_deliveries_has_ended_when_all_have(store: Store) -> None:
    draft = Draft("s", "s", "k", "e", {}, b"x", [Address("a"), Address("b")])
    (receipt,) = store.engine.queue.enqueue([draft])
    message = receipt.message_id
    store.engine.durable.ends.listen([message])
    first, second = claim(store.queue("a")), claim(store.queue("b"))

    first.ack("from a")
    assert told(store) == {message}
    assert look(store, message) is None
    assert look(store, message, "a") == Ended("done", "from a")
    second.bury("b cannot")

    assert told(store) == {message}
    assert look(store, message) == Ended("dead", None, "b cannot")
    assert look(store, message, "b") == Ended("dead", None, "b cannot")


# AWAIT-1
def test_the_result_of_several_is_that_of_the_first_route(store: Store) -> None:
    draft = Draft("s", "s", "k", "e", {}, b"x", [Address("z"), Address("a")])
    (receipt,) = store.engine.queue.enqueue([draft])

    for name in ("a", "z"):
        claim(store.queue(name)).ack(f"from {name}")

    assert look(store, receipt.message_id) == Ended("done", "from z")


# AWAIT-1
def test_a_dead_one_that_is_replayed_can_be_waited_for_again(store: Store, queue: Queue) -> None:
    receipt = queue.enqueue(b"x")
    first = claim(queue)
    first.bury("no")
    assert receipt.wait(PATIENCE_SECONDS) == Ended("dead", None, "no")

    store.replay(first.id)

    assert look(store, receipt.message_id) is None
    store.engine.durable.ends.listen([receipt.message_id])
    claim(queue).ack(7)
    assert told(store) == {receipt.message_id}
    assert receipt.wait(PATIENCE_SECONDS) == Ended("done", 7)


# AWAIT-1
def test_what_is_not_stored_any_more_is_forgotten(store: Store, queue: Queue) -> None:
    receipt = queue.enqueue(b"x", keep_for=0)
    claim(queue).ack("lost")

    store.sweep()

    assert receipt.wait(PATIENCE_SECONDS) == Ended("forgotten")


# AWAIT-1
@pytest.mark.parametrize("kept", [0, 60], ids=["by set", "one by one"])
def test_each_message_of_a_group_is_told(store: Store, kept: float) -> None:
    store.queue("mail", keep_body_for=kept)  # what keeps its body is ended one by one
    address = Address("mail", lane="one", join=Join(window_ms=0, most=500))
    drafts = [Draft("s", "s", key, "e", {}, b"x", [address]) for key in ("a", "b", "c")]
    outcomes = store.engine.durable.ends.enqueue_each(drafts)
    messages = {each.message_id for each in outcomes if isinstance(each, Receipt)}
    ((leased,), _) = store.engine.queue.claim(
        ["mail"], limit=1, lease_ms=30_000, owner=1, joins={"mail": 500}
    )

    Claim(store.engine, leased).ack("all")

    assert told(store) == messages
    assert [look(store, each) for each in sorted(messages)] == [Ended("done", "all")] * 3


# AWAIT-1
@pytest.mark.parametrize("when", ["before it listens", "before it waits"])
def test_an_end_between_the_look_and_the_wait_is_found(
    store: Store, queue: Queue, when: str
) -> None:
    ends = store.engine.durable.ends
    receipt = queue.enqueue(b"x")
    claimed = claim(queue)
    listen = ends.listen

    def listening(messages: Sequence[int]) -> None:
        if when == "before it listens":
            claimed.ack("x")
        listen(messages)
        if when == "before it waits":
            claimed.ack("x")

    ends.listen = listening  # type: ignore[method-assign]

    assert receipt.wait(PATIENCE_SECONDS) == Ended("done", "x")


# AWAIT-1
def test_messages_are_stored_and_listened_for_in_one_transaction(store: Store) -> None:
    ends = store.engine.durable.ends
    drafts = [
        Draft("s", "s", key, "e", {}, b"x", [Address("mail")]) for key in ("one", "two", "one")
    ]

    first, second, again = ends.enqueue_each(drafts)

    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert isinstance(again, Receipt)
    assert (again.status, again.message_id) == ("duplicate", first.message_id)
    store.queue("mail").ack_many(store.queue("mail").claim(limit=2))
    assert told(store) == {first.message_id, second.message_id}


# AWAIT-1
def test_who_waits_gets_the_result_of_another_thread(queue: Queue, kit: Kit) -> None:
    receipt = queue.enqueue(b"x")
    with kit.open() as elsewhere:
        claimed = claim(elsewhere.queue("mail"))
        worker = threading.Thread(target=claimed.ack, args=({"n": 1},))
        worker.start()

        assert receipt.wait() == Ended("done", {"n": 1})

        worker.join()
    assert receipt.wait() == Ended("done", {"n": 1})  # and again


# AWAIT-1
def test_coroutines_wait_side_by_side(queue: Queue) -> None:
    receipts = queue.enqueue_many([{"body": b"%d" % n} for n in range(20)])

    async def run() -> list[Ended]:
        waiting = [asyncio.ensure_future(receipt.done()) for receipt in receipts]
        await asyncio.sleep(0)
        for each in await asyncio.to_thread(queue.claim, limit=20):
            await asyncio.to_thread(each.ack, each.message.id)
        return await asyncio.gather(*waiting)

    ended = asyncio.run(run())

    assert ended == [Ended("done", receipt.message_id) for receipt in receipts]


# AWAIT-1
def test_a_wait_that_is_over_says_so_and_can_be_begun_again(store: Store, queue: Queue) -> None:
    receipt = queue.enqueue(b"x")

    with pytest.raises(TimeoutError, match=f"m{receipt.message_id} has not ended within 0.01 s"):
        receipt.wait(0.01)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(receipt.done(), 0.01))

    claim(queue).ack()
    assert receipt.wait(0) == Ended("done")


# AWAIT-1
def test_a_wait_ends_with_an_error_when_the_store_is_closed(kit: Kit) -> None:
    opened = kit.open()
    receipt = opened.queue("mail").enqueue(b"x")
    errors: list[Exception] = []

    def wait() -> None:
        try:
            receipt.wait()
        except InvalidInput as error:
            errors.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    while not opened.engine.durable.ends.waiting.count:
        threading.Event().wait(0.001)

    opened.close()
    waiter.join(PATIENCE_SECONDS)

    assert "is closed" in str(errors[0])


# AWAIT-1
@pytest.mark.parametrize("failure", [StoreCorrupt("a damaged row"), StoreBusy])
def test_a_look_that_fails_keeps_only_its_own_from_being_told(
    store: Store, queue: Queue, failure: object
) -> None:
    ends = store.engine.durable.ends
    receipts = queue.enqueue_many([{"body": b"%d" % n} for n in range(3)])
    bad = receipts[1].message_id
    look, busy = ends.look, [1, 1]

    def looking(asked: Sequence[Asked]) -> list[Ended | StoreCorrupt | None]:
        if isinstance(failure, StoreCorrupt) and bad in {each.message for each in asked}:
            raise failure
        if failure is StoreBusy and threading.current_thread().name == "ends" and busy:
            busy.pop()
            raise StoreBusy(operation="wait", path="", waited=0.0, holders=())
        return look(asked)

    ends.listen([receipt.message_id for receipt in receipts])
    ends.look = looking  # type: ignore[method-assign]
    told: SimpleQueue[object] = SimpleQueue()
    for receipt in receipts:
        ends.waiting.watch(Watch(Asked(receipt.message_id), told.put))
    queue.ack_many(queue.claim(limit=3))

    answers = [told.get(timeout=PATIENCE_SECONDS) for _ in receipts]

    damaged = [each for each in answers if isinstance(each, StoreCorrupt)]
    assert len(damaged) == isinstance(failure, StoreCorrupt)
    assert answers.count(Ended("done")) == 3 - len(damaged)


# AWAIT-1
def test_nobody_is_left_waiting_for_a_thread_that_has_failed(store: Store, queue: Queue) -> None:
    ends = store.engine.durable.ends
    hear = ends.hear
    failing = [OSError("no such descriptor")]

    def hearing(seconds: float) -> Collection[int]:
        if failing:
            raise failing.pop()
        return hear(seconds)

    ends.hear = hearing  # type: ignore[method-assign]
    receipt = queue.enqueue(b"x")
    raised: list[object] = []
    before, threading.excepthook = threading.excepthook, raised.append
    try:
        with pytest.raises(StoreFailed, match="no such descriptor"):
            receipt.wait(PATIENCE_SECONDS)
    finally:
        while not raised:
            threading.Event().wait(0.001)
        threading.excepthook = before

    claim(queue).ack("x")
    assert receipt.wait(PATIENCE_SECONDS) == Ended("done", "x")  # another thread


# AWAIT-1
def test_nobody_waits_in_a_transaction_or_by_a_receipt_of_no_queue(
    store: Store, queue: Queue
) -> None:
    with store.transaction():
        receipt = queue.enqueue(b"x")
        with pytest.raises(InvalidInput, match="cannot be part of another transaction"):
            receipt.wait()

    with pytest.raises(InvalidInput, match="only a receipt of Queue"):
        Receipt("accepted", 1, "ready").wait()
    with pytest.raises(InvalidInput, match="timeout must be"):
        receipt.wait(-1)


# AWAIT-1
def test_a_receipt_says_compares_and_copies_only_what_it_was_told(queue: Queue) -> None:
    receipt = queue.enqueue(b"x")
    plain = Receipt("accepted", receipt.message_id, "ready")

    assert receipt == plain
    assert hash(receipt) == hash(plain)
    assert repr(receipt) == repr(plain)
    assert "_waits" not in repr(receipt)
    assert copy.copy(receipt) == plain
