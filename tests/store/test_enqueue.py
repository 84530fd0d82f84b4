"""Enqueue: a key is accepted once, and remembered when its work is long done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fencepost import FencepostError, InvalidInput, LimitExceeded, Queue, QueueFull, Store
from fencepost.store.types.messages.draft import Address, Draft

from ..clock import FakeClock
from ..kits import Effects


# QUEUE-1, QUEUE-12
def test_the_same_key_and_body_is_a_duplicate_of_the_first(queue: Queue) -> None:
    first = queue.enqueue(b"body", key="k")

    second = queue.enqueue(b"body", key="k")

    assert (first.status, second.status) == ("accepted", "duplicate")
    assert first.message_id == second.message_id
    assert second.state == "ready"
    assert queue.stats().ready == 1


# QUEUE-2, INPUT-3, TRIG-5
def test_the_same_key_with_another_body_is_a_conflict_and_the_first_is_kept(
    queue: Queue, store: Store
) -> None:
    first = queue.enqueue(b"one", key="k")

    second = queue.enqueue(b"two", key="k")

    (claim,) = queue.claim(limit=2)
    assert second.status == "conflict"
    assert second.message_id == first.message_id
    assert claim.message.body == b"one"


# INPUT-10, COMMIT-4
def test_a_duplicate_after_completion_learns_the_result(queue: Queue) -> None:
    queue.enqueue(b"body", key="k")
    (claim,) = queue.claim()
    claim.ack({"charged": 12})

    receipt = queue.enqueue(b"body", key="k")

    assert (receipt.status, receipt.state, receipt.result) == ("duplicate", "done", {"charged": 12})
    assert queue.claim() == []


# INPUT-2, INGRESS-1, FP-1, FP-2
@pytest.mark.parametrize("state", ["ready", "leased", "done", "dead", "cancelled"])
def test_a_duplicate_learns_how_far_the_first_has_come(
    queue: Queue, store: Store, state: str
) -> None:
    first = queue.enqueue(b"body", key="k")
    if state == "cancelled":
        store.cancel(1)
    elif state != "ready":
        (claim,) = queue.claim()
        if state == "done":
            claim.ack()
        elif state == "dead":
            claim.bury("no")

    for body, status in ((b"body", "duplicate"), (b"other", "conflict")):
        receipt = queue.enqueue(body, key="k")

        assert (receipt.status, receipt.state) == (status, state)
        assert receipt.message_id == first.message_id


# QUEUE-4
def test_without_a_key_every_call_is_a_message(queue: Queue) -> None:
    receipts = [queue.enqueue(b"body") for _ in range(3)]

    assert [receipt.status for receipt in receipts] == ["accepted"] * 3
    assert queue.stats().ready == 3


# QUEUE-5, TRIG-16
def test_a_key_is_unique_within_its_queue_alone(store: Store) -> None:
    one = store.queue("one").enqueue(b"body", key="k")
    two = store.queue("two").enqueue(b"body", key="k")

    assert one.status == two.status == "accepted"


# QUEUE-7
def test_many_are_answered_in_their_order(queue: Queue) -> None:
    receipts = queue.enqueue_many(
        [
            {"body": b"1", "key": "a"},
            {"body": b"2", "key": "b"},
            {"body": b"1", "key": "a"},
            {"body": b"3", "key": "b"},
        ]
    )

    statuses = [receipt.status for receipt in receipts]
    ids = [receipt.message_id for receipt in receipts]
    assert statuses == ["accepted", "accepted", "duplicate", "conflict"]
    assert ids[0] == ids[2] != ids[1] == ids[3]


def test_many_are_stored_together_or_not_at_all(queue: Queue) -> None:
    with pytest.raises(InvalidInput):
        queue.enqueue_many([{"body": b"1", "key": "a"}, {"body": "text", "key": "b"}])

    assert queue.stats().ready == 0


# BLOB-7
def test_a_message_comes_back_as_it_was_given(queue: Queue, clock: FakeClock) -> None:
    body = bytes(range(256))
    queue.enqueue(body, key="schlüssel-📮", headers={"X-Kind": "Größe"})

    (claim,) = queue.claim()

    message = claim.message
    assert message.body == body
    assert message.key == "schlüssel-📮"
    assert message.headers == {"x-kind": "Größe"}
    assert message.source is None
    assert message.received_at == clock.wall / 1000


@pytest.mark.parametrize(
    "arguments",
    [
        {"body": "text"},
        {"body": None},
        {"body": b"", "key": ""},
        {"body": b"", "key": "x" * 513},
        {"body": b"", "key": "nul\0"},
        {"body": b"", "key": "line\n"},
        {"body": b"", "key": "\ud800"},
        {"body": b"", "key": 7},
        {"body": b"", "delay": -1},
        {"body": b"", "delay": float("nan")},
        {"body": b"", "delay": float("inf")},
        {"body": b"", "delay": "soon"},
        {"body": b"", "priority": 1.5},
        {"body": b"", "priority": True},
        {"body": b"", "keep_for": -1},
        {"body": b"", "nonsense": 1},
        {"body": b"", "headers": ["x"]},
        {"body": b"", "headers": {"x": 1}},
        {"body": b"", "headers": {"x": "\ud800"}},
        {},
    ],
)
def test_input_that_makes_no_sense_is_refused_before_anything_is_stored(
    queue: Queue, arguments: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        queue.enqueue_many([arguments])

    assert isinstance(refused.value, ValueError)
    assert queue.stats().ready == 0


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        ({"body": "text"}, InvalidInput),
        ({"body": b"", "key": ""}, InvalidInput),
        ({"body": b"", "nonsense": 1}, InvalidInput),
        ({}, InvalidInput),
        ({5: b""}, InvalidInput),
        (5, InvalidInput),
        (None, InvalidInput),
        ("text", InvalidInput),
        ({"body": b"x" * (25 * 1024 * 1024 + 1)}, LimitExceeded),
    ],
    ids=lambda bad: str(bad)[:20],
)
def test_of_many_the_first_bad_one_is_named_by_its_index(
    queue: Queue, bad: Any, kind: type[FencepostError]
) -> None:
    with pytest.raises(kind, match=r"^message 3\b") as refused:
        queue.enqueue_many([*[{"body": b"good"}] * 3, bad, {"body": None}])

    assert refused.value.operation == "enqueue"
    assert queue.stats().ready == 0


@pytest.mark.parametrize("messages", [None, 5])
def test_what_is_no_list_of_messages_is_refused(queue: Queue, messages: Any) -> None:
    with pytest.raises(InvalidInput, match="messages must be iterable"):
        queue.enqueue_many(messages)


def test_what_a_generator_of_messages_raises_is_its_own(queue: Queue) -> None:
    def messages() -> Iterator[dict[str, Any]]:
        yield {"body": b"good"}
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        queue.enqueue_many(messages())

    assert queue.stats().ready == 0


# KV-39
def test_a_body_over_the_limit_is_refused(queue: Queue) -> None:
    body = bytes(25 * 1024 * 1024 + 8)
    for over in (body, bytearray(body), memoryview(body).cast("Q")):
        with pytest.raises(LimitExceeded):
            queue.enqueue(over)  # type: ignore[arg-type]

    assert queue.stats().ready == 0


@pytest.mark.parametrize("name", ["", ".", "-x", "a/b", "a b", "ü", "x" * 129, "a\n", 7, None])
def test_a_queue_needs_a_proper_name(store: Store, name: object) -> None:
    with pytest.raises(InvalidInput):
        store.queue(name)  # type: ignore[arg-type]


# SCHEMA-6
def test_enqueue_and_a_row_of_ones_own_commit_together(
    store: Store, queue: Queue, effects: Effects
) -> None:
    with pytest.raises(RuntimeError), store.transaction() as tx:
        effects.write(tx, "order-7")
        queue.enqueue(b"confirm", key="order-7")
        raise RuntimeError

    assert queue.stats().ready == 0
    assert effects.seen() == []
    with store.transaction() as tx:
        effects.write(tx, "order-7")
        queue.enqueue(b"confirm", key="order-7")
    assert queue.stats().ready == 1
    assert effects.seen() == ["order-7"]


class Markup(str):
    """Text of a class of the caller's own."""

    __slots__ = ()


def test_headers_of_a_class_of_the_callers_own_are_kept_as_text(queue: Queue) -> None:
    queue.enqueue(b"work", headers={Markup("X-A"): Markup("v")})

    (claim,) = queue.claim()

    assert claim.message.headers == {"x-a": "v"}


def test_a_claim_of_none_gives_none(store: Store, queue: Queue) -> None:
    queue.enqueue(b"work")

    assert store.engine.queue.claim(["mail"], limit=0, lease_ms=1000) == ([], [])


def test_deaths_that_were_rolled_back_are_not_told(store: Store) -> None:
    store.queue("full", max_rows=1).enqueue(b"first")
    told: list[object] = []
    store.engine.queue.on_died(told.extend)
    refused = Draft("s", "s", "a", "", {}, b"", [Address("mail", refused="no lane")])
    full = Draft("s", "s", "b", "", {}, b"", [Address("full")])

    with store.transaction():
        with pytest.raises(QueueFull):
            store.engine.queue.enqueue([refused, full])
        store.queue("mail").enqueue(b"kept")

    assert told == []
    assert store.queue("mail").stats().dead == 0
    store.engine.queue.enqueue([refused])
    assert len(told) == 1
