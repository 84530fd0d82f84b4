"""A function that runs once for each key, whoever calls it and however often."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fencepost import InvalidInput, KeyConflict, LeaseHeld, LeaseLost, Store

from ..clock import FakeClock
from ..processes import wait_until


@dataclass
class Order:
    """What the functions are called with."""

    id: str | None
    body: bytes = b""


@dataclass
class Runs:
    """A function under guard, and who ran it."""

    ran: list[str]
    run: Callable[[str, Order], object]


@pytest.fixture
def guarded(store: Store) -> Runs:
    """A function that notes who ran it, guarded by the order's id and body."""
    ran: list[str] = []

    @store.idempotent(
        "orders", key=lambda _, order: order.id, payload=lambda _, order: order.body, lease=10
    )
    def charge(who: str, order: Order) -> object:
        """Charge an order."""
        ran.append(who)
        return {"by": who}

    return Runs(ran, charge)


# An unfenced library, first scenario: a completed record loses its payload's hash.
# EFFECT-5
def test_an_identical_repeat_gets_the_result_and_another_payload_is_refused(
    guarded: Runs,
) -> None:
    first = guarded.run("A", Order("1", b"one"))

    assert first == guarded.run("B", Order("1", b"one")) == {"by": "A"}
    with pytest.raises(KeyConflict):
        guarded.run("C", Order("1", b"another"))
    assert guarded.ran == ["A"]


# The second and third: who stalled past its lease overwrites the result of who took over.
def test_who_took_over_has_the_result_and_the_stalled_one_is_told_that_it_lost(
    store: Store, clock: FakeClock
) -> None:
    ran = []

    @store.idempotent("orders", key=lambda who: "1", lease=10)
    def charge(who: str) -> object:
        ran.append(who)
        if who == "A":
            clock.advance(10)  # it stalls
            assert charge("B") == {"by": "B"}
            assert charge("C") == {"by": "B"}
        return {"by": who}

    with pytest.raises(LeaseLost):
        charge("A")

    assert charge("D") == {"by": "B"}
    assert ran == ["A", "B"]


# The fourth: who fails late deletes the record of who has completed.
def test_a_late_failure_leaves_the_result_of_who_took_over(store: Store, clock: FakeClock) -> None:
    ran = []

    @store.idempotent("orders", key=lambda who: "1", lease=10)
    def charge(who: str) -> object:
        ran.append(who)
        if who == "A":
            clock.advance(10)
            charge("B")
            raise ZeroDivisionError
        return {"by": who}

    with pytest.raises(ZeroDivisionError):
        charge("A")

    assert charge("D") == {"by": "B"}
    assert ran == ["A", "B"]


# The fifth: without a key the function runs unguarded. DEDUPE-3
# EFFECT-1
@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_nothing_runs(guarded: Runs, key: str | None) -> None:
    with pytest.raises(InvalidInput):
        guarded.run("A", Order(key))

    assert guarded.ran == []


# DEDUPE-4
def test_on_a_store_that_fails_nothing_runs(store: Store, guarded: Runs) -> None:
    store.close()

    with pytest.raises(InvalidInput):
        guarded.run("A", Order("1"))

    assert guarded.ran == []


# EFFECT-6, DEDUPE-6
def test_a_call_that_raises_is_forgotten_and_the_next_one_runs(store: Store) -> None:
    ran = []

    @store.idempotent("orders", key=lambda who: "1")
    def charge(who: str) -> str:
        ran.append(who)
        if who == "A":
            raise ZeroDivisionError
        return who

    with pytest.raises(ZeroDivisionError):
        charge("A")

    assert charge("B") == charge("C") == "B"
    assert ran == ["A", "B"]


def test_a_result_that_is_no_json_is_refused_and_forgotten(store: Store) -> None:
    @store.idempotent("orders", key=lambda result: "1")
    def charge(result: object) -> object:
        return result

    with pytest.raises(InvalidInput):
        charge({1, 2})

    assert charge("text") == "text"


def test_every_caller_gets_the_result_as_it_comes_out_of_json(store: Store) -> None:
    @store.idempotent("orders", key=lambda: "1")
    def charge() -> object:
        return {1: (2, 3)}

    assert charge() == charge() == {"1": [2, 3]}


# EFFECT-7, EFFECT-16, DEDUPE-7
def test_a_call_in_flight_is_refused_with_its_holder(store: Store) -> None:
    @store.idempotent("orders", key=lambda again: "1", lease=10)
    def charge(again: bool) -> None:
        if again:
            with pytest.raises(LeaseHeld) as refused:
                charge(False)
            assert refused.value.holder == store.once("orders", "1").holder
            assert refused.value.retry_after == 10
            assert (refused.value.operation, refused.value.path) == (
                "once",
                store.engine.identity.address,
            )

    charge(True)


# EFFECT-11
def test_long_work_keeps_its_key(store: Store, clock: FakeClock) -> None:
    @store.idempotent("orders", key=lambda: "1", lease=1)
    def charge() -> str:
        for _ in range(3):
            clock.advance(0.9)
            wait_until(lambda: store.once("orders", "1").retry_after > 0.9, "a renewal")
        return "done"

    assert charge() == "done"
    assert store.once("orders", "1").result == "done"
    assert not any(thread.name == "renewal" for thread in threading.enumerate())


def test_the_result_is_remembered_for_as_long_as_asked(store: Store, clock: FakeClock) -> None:
    ran = []

    @store.idempotent("orders", key=lambda: "1", keep_for=60)
    def charge() -> None:
        ran.append(1)

    charge()
    clock.advance(59.999)
    charge()
    assert len(ran) == 1
    clock.advance(0.001)
    charge()
    assert len(ran) == 2


def test_the_function_keeps_its_name_its_words_and_its_signature(guarded: Runs) -> None:
    assert guarded.run.__name__ == "charge"
    assert guarded.run.__doc__ == "Charge an order."
    assert list(inspect.signature(guarded.run).parameters) == ["who", "order"]
    assert inspect.unwrap(guarded.run) is not guarded.run


def test_the_key_is_taken_from_the_arguments_as_they_are_given(store: Store) -> None:
    @store.idempotent("orders", key=lambda *, order: order.id)
    def charge(*, order: Order) -> str:
        return "ran"

    assert charge(order=Order("1")) == "ran"
    assert store.once("orders", "1").done


@pytest.mark.parametrize("lease", [0, 0.999])
def test_a_lease_too_short_to_keep_is_refused(store: Store, lease: float) -> None:
    with pytest.raises(InvalidInput):
        store.idempotent("orders", key=lambda: "1", lease=lease)


def test_what_returns_before_its_work_is_done_is_refused(store: Store) -> None:
    async def coroutine() -> None: ...

    def generator() -> object:
        yield

    for function in (coroutine, generator):
        with pytest.raises(InvalidInput):
            store.idempotent("orders", key=lambda: "1")(function)
