"""Answers to handlers that wait: the first one counts, until the deadline."""

from __future__ import annotations

from typing import Any

import pytest

from fencepost import Claim, InvalidInput, LeaseLost, LimitExceeded, Queue, Store
from fencepost.app.route import Route
from fencepost.store.types.durable.step import StepRecord
from fencepost.store.types.durable.wait import Place, Subject, Wait
from fencepost.store.types.messages.draft import Address, Draft
from fencepost.store.waiting.wait_token import make_token, read_token

from ..clock import FakeClock
from ..kits import Kit
from .suspended import place, suspend, wait


@pytest.fixture
def claim(queue: Queue) -> Claim:
    """A delivery whose handler is about to wait."""
    queue.enqueue(b"work", key="k", keep_for=60)
    (claim,) = queue.claim()
    return claim


# WAIT-5, WAIT-7, AWAITEV-2
def test_an_answer_wakes_the_delivery_and_the_first_one_counts(
    queue: Queue, store: Store, claim: Claim
) -> None:
    waits = store.engine.durable.waits
    wait(store, claim)
    assert queue.claim() == []

    said = [waits.answer(place(claim), value) for value in ("1", "1", "2")]

    assert said == ["accepted", "duplicate", "conflict"]
    (again,) = queue.claim()
    assert again.id == claim.id
    found = waits.find(place(claim))
    assert found is not None
    assert found.answer == "1"
    assert waits.answer(place(claim), "1") == "duplicate"  # a wake of what is awake is none


# WAIT-7, WAIT-8
def test_an_answer_that_comes_before_the_wait_is_found_by_it(
    queue: Queue, store: Store, claim: Claim
) -> None:
    waits = store.engine.durable.waits

    assert waits.answer(place(claim), "1") == "accepted"

    assert waits.find(place(claim)) == Wait(None, "1", store.engine.clock.now_ms())
    wait(store, claim)  # the look was before the answer, and the suspension after it
    (again,) = queue.claim()
    assert again.id == claim.id


# WAIT-6
def test_an_answer_counts_before_the_deadline_and_not_at_it(
    queue: Queue, store: Store, clock: FakeClock, claim: Claim
) -> None:
    waits = store.engine.durable.waits
    wait(store, claim, 60)
    clock.advance(59.999)
    (early,) = [waits.find(place(claim))]
    assert early is not None
    assert early.answer is None

    clock.advance(0.001)

    assert waits.answer(place(claim), "1") == "gone"
    (again,) = queue.claim()
    assert waits.is_over(again.hold, place(again))


# WAIT-6
def test_an_answer_in_time_keeps_the_wait_from_being_over(
    queue: Queue, store: Store, clock: FakeClock, claim: Claim
) -> None:
    waits = store.engine.durable.waits
    wait(store, claim, 60)
    clock.advance(59.999)
    assert waits.answer(place(claim), "1") == "accepted"
    clock.advance(1)

    (again,) = queue.claim()

    assert not waits.is_over(again.hold, place(again))


# WAIT-6
def test_only_who_holds_the_delivery_is_told_that_a_wait_is_over(
    queue: Queue, store: Store, clock: FakeClock, claim: Claim
) -> None:
    wait(store, claim, 60)
    clock.advance(61)
    queue.claim()

    with pytest.raises(LeaseLost):
        store.engine.durable.waits.is_over(claim.hold, place(claim))


# WAIT-5, SLEEP-9
@pytest.mark.parametrize("end", ["ack", "cancel", "bury", "forget"])
def test_an_answer_after_the_end_is_too_late(
    queue: Queue, store: Store, clock: FakeClock, claim: Claim, end: str
) -> None:
    wait(store, claim, None)
    if end == "cancel":
        store.cancel(claim.id)
    else:
        store.engine.durable.waits.answer(place(claim), "1")
        (again,) = queue.claim()
        if end == "bury":
            again.bury("no")
        else:
            again.ack()
        if end == "forget":
            clock.advance(61)
            store.sweep()

    assert store.engine.durable.waits.answer(place(claim, 2), "1") == "gone"
    if end != "bury":
        assert store.engine.durable.waits.find(place(claim)) is None


# WAIT-1, AWAITEV-1
def test_a_token_is_for_one_wait_of_one_store(kit: Kit, store: Store, claim: Claim) -> None:
    token = make_token(store.engine, place(claim))

    assert make_token(store.engine, place(claim)) == token
    assert read_token(store.engine, token) == place(claim)
    assert 50 <= len(token) <= 80
    with kit.elsewhere().open() as other:
        assert read_token(other.engine, token) is None
    for wrong in ("", "x", token[:-1], token + "A", "é" * 60, token[::-1], token.swapcase()):
        assert read_token(store.engine, wrong) is None
        assert store.resume(wrong, 1) == "unknown"


# WAIT-1
def test_no_changed_byte_of_a_token_is_accepted(store: Store, claim: Claim) -> None:
    token = make_token(store.engine, place(claim))

    for at in range(len(token)):
        other = "A" if token[at] != "A" else "B"
        assert read_token(store.engine, token[:at] + other + token[at + 1 :]) is None
    # Of 16 more lengths of a name: of some the last character has bits that stand for nothing.
    for length in range(1, 17):
        token = make_token(store.engine, Place(claim.id, "x" * length, 1))
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
        good = [last for last in letters if read_token(store.engine, token[:-1] + last)]
        assert good == [token[-1]]


# WAIT-1
@pytest.mark.parametrize("extra", ["=", "==", "\n", " ", "!", "."])
def test_a_token_with_anything_more_is_none(store: Store, claim: Claim, extra: str) -> None:
    token = make_token(store.engine, place(claim))

    assert store.resume(token + extra, 1) == "unknown"
    assert store.resume(extra + token, 1) == "unknown"


# WAIT-1
@pytest.mark.parametrize("token", [None, 5, b"x"])
def test_what_is_no_text_is_refused_as_a_token(store: Store, token: Any) -> None:
    with pytest.raises(InvalidInput, match="a token must be a str"):
        store.resume(token, 1)


# WAIT-1
def test_a_delivery_replayed_too_often_has_no_token(store: Store, claim: Claim) -> None:
    assert make_token(store.engine, Place(claim.id, "approval", 65_535, 65_535))
    for wrong in (
        Place(claim.id, "approval", 65_536, 0),
        Place(claim.id, "approval", 1, 65_536),
    ):
        with pytest.raises(LimitExceeded, match="no token"):
            make_token(store.engine, wrong)


# WAIT-9
def test_an_answer_is_none_to_a_wait_for_a_message(
    queue: Queue, store: Store, claim: Claim
) -> None:
    name, subject = "shop push", Subject("shop", "push", None, 1)
    wait(store, claim, None, at=name, subject=subject)
    by_url = store.engine.durable.waits.answer(place(claim, name=name), "1")
    assert by_url == "accepted"

    (again,) = queue.claim()
    wait(store, again, None, at=name, subject=subject, anew=False)

    assert queue.claim() == []


# STEP-32
def test_waits_are_counted_by_delivery(queue: Queue, store: Store, claim: Claim) -> None:
    waits = store.engine.durable.waits
    assert waits.count(claim.id) == 0

    waits.answer(place(claim), "1")
    waits.answer(place(claim, 2), "1")
    queue.enqueue(b"other", key="other")
    (other,) = queue.claim()

    assert waits.count(claim.id) == 2
    assert waits.count(other.id) == 0


# WAIT-2
def test_a_token_is_good_until_its_secret_is_retired(store: Store, claim: Claim) -> None:
    waits = store.engine.durable.waits
    old = make_token(store.engine, place(claim))
    assert not waits.retire(1)  # it is the one that signs

    second = waits.rotate()

    new = make_token(store.engine, place(claim))
    assert new != old
    assert read_token(store.engine, old) == read_token(store.engine, new) == place(claim)
    assert waits.retire(1)
    assert not waits.retire(1)
    assert read_token(store.engine, old) is None
    assert read_token(store.engine, new) == place(claim)
    assert [each.id for each in waits.secrets()] == [1, second.id]


# WAIT-5
def test_the_same_answer_is_the_same_by_its_value(store: Store, claim: Claim) -> None:
    wait(store, claim)
    token = make_token(store.engine, place(claim))

    assert store.resume(token, {"a": 1, "b": [1.5, None]}) == "accepted"
    assert store.resume(token, {"b": [1.5, None], "a": 1}) == "duplicate"
    assert store.resume(token, {"a": 1}) == "conflict"


def _event(store: Store, event: str = "run.done", wait_key: str | None = None) -> int:
    draft = Draft("ci", "ci", f"{event} {wait_key}", event, {}, b"{}", (), wait_key=wait_key)
    (receipt,) = store.engine.queue.enqueue([draft])
    return receipt.message_id


def _subject(event: str = "run", key: str | None = None, after: int = 0) -> Subject:
    return Subject("ci", event, key, after)


# WAIT-9, WAIT-10
@pytest.mark.parametrize("way", ["enqueue", "enqueue_each"])
def test_an_enqueue_wakes_who_waits_for_its_message(
    queue: Queue, store: Store, claim: Claim, way: str
) -> None:
    wait(store, claim, subject=_subject(key="sha", after=claim.message.id))

    for n, (event, key, wakes) in enumerate(
        [("run.done", "other", 0), ("push", "sha", 0), ("run.done", None, 0), ("run", "sha", 1)]
    ):
        draft = Draft("ci", "ci", f"{n}", event, {}, b"{}", (), wait_key=key)
        getattr(store.engine.queue, way)([draft])
        assert (store.engine.queue.next_at_ms([queue.name]) == 0) == bool(wakes)

    (again,) = queue.claim()
    assert again.id == claim.id


# WAIT-9, FIND-1
def test_a_pattern_matches_what_it_matches_for_a_route(queue: Queue, store: Store) -> None:
    events = ("a", "b", "[", "]", "^", "!", "-", "[a]", "a[", "*", "?", "ab", "a.b")
    for n, event in enumerate(events):
        address = Address(queue.name)
        draft = Draft("ci", "ci", f"{n}", event, {}, b"{}", [address])
        store.engine.queue.enqueue([draft])
    patterns = ["a", "?", "*", "[a]", "[!a]", "[^a]", "[ab]", "[a-b]", "[", "a[", "[[]", "[]]"]
    patterns += ["[!]]", "[]a]", "[^]", "[!^]", "[^^]", "[^]]", "[-a]", "[a-]", "[!", "[*]", "*[*"]

    for pattern in patterns:
        expected = [
            each
            for each in events
            if Route("ci", pattern, "q", None, "strict", 0).matches("ci", each)
        ]
        found, _ = store.engine.durable.waits.messages(
            Subject("ci", pattern, None, 0), before_ms=2**53, limit=100
        )
        listed = store.deliveries(event=pattern, source="ci")
        assert [each.event for each in found] == expected, pattern
        assert [each.event for each in listed[::-1]] == expected, pattern


# WAIT-10
def test_one_that_came_since_the_look_keeps_the_delivery_awake(
    queue: Queue, store: Store, claim: Claim
) -> None:
    _event(store)
    wait(store, claim, subject=_subject(after=claim.message.id))

    (again,) = queue.claim()

    assert again.id == claim.id


# WAIT-9, WAIT-10
def test_messages_are_found_by_pattern_key_and_time(store: Store, clock: FakeClock) -> None:
    waits = store.engine.durable.waits
    first = _event(store)
    clock.advance(1)
    second = _event(store, "run.failed", "sha")
    _event(store, "push", "sha")
    now = store.engine.clock.now_ms()

    def found(subject: Subject, before_ms: int = now + 1, limit: int = 10) -> list[int]:
        messages, _ = waits.messages(subject, before_ms=before_ms, limit=limit)
        return [each.id for each in messages]

    assert found(_subject()) == [first, second]
    assert found(_subject("run.d*")) == [first]
    assert found(_subject(key="sha")) == [second]
    assert found(_subject(after=first)) == [second]
    assert found(_subject(), before_ms=now) == [first]
    assert waits.messages(_subject(), before_ms=now + 1, limit=1)[1] == first
    assert waits.messages(_subject(), before_ms=now + 1, limit=10)[1] >= second


# WAIT-10
def test_a_message_that_was_taken_wakes_no_more(queue: Queue, store: Store, claim: Claim) -> None:
    steps = store.engine.durable.steps
    wait(store, claim, subject=_subject(after=claim.message.id))
    _event(store)
    (again,) = queue.claim()
    taken = StepRecord(1, "approval", 1, "event", None, None, "{}", again.fence, None)
    assert steps.record([(again.hold, taken)]) == [None]
    suspend(store, again, store.engine.clock.now_ms() + 60_000)

    _event(store, "run.again")

    assert queue.stats().asleep == 1


# WAIT-9
def test_a_wait_that_is_over_wakes_no_more(
    queue: Queue, store: Store, claim: Claim, clock: FakeClock
) -> None:
    wait(store, claim, 1, subject=_subject(after=claim.message.id))
    clock.advance(1)
    (claim,) = queue.claim()
    suspend(store, claim, store.engine.clock.now_ms() + 59_000)
    clock.advance(1)

    _event(store)

    assert queue.stats().asleep == 1
