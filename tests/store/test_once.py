"""A key is worked on by one, done once, and its result is for all who ask again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fencepost import InvalidInput, KeyConflict, LeaseLost, LimitExceeded, Once, Store
from fencepost.store.engine.leases import Displaced
from fencepost.store.engine.once import Claimed

from ..clock import FakeClock
from ..kits import Effects, Kit

ENDINGS: dict[str, Callable[[Once], object]] = {
    "complete": lambda found: found.complete({"by": "the late"}),
    "release": lambda found: found.release(),
    "renew": lambda found: found.renew(),
}


# EFFECT-2, FILE-3, CLAIMKEY-5, DEDUPE-1, DEDUPE-5, FP-3
def test_a_key_is_claimed_once_and_then_its_result_is_replayed(
    store: Store, clock: FakeClock
) -> None:
    first = store.once("stripe", "evt_1", lease=30)
    clock.advance(10)
    meanwhile = store.once("stripe", "evt_1")
    first.complete({"ok": True})
    after = store.once("stripe", "evt_1")

    assert (first.claimed, first.done, first.holder, first.lost) == (True, False, None, False)
    assert (meanwhile.claimed, meanwhile.done, meanwhile.fence) == (False, False, None)
    assert meanwhile.holder
    assert meanwhile.retry_after == 20
    assert meanwhile.expires_at == first.expires_at
    assert (after.claimed, after.done, after.holder) == (False, True, None)
    assert after.result == {"ok": True}
    assert [repr(found).split()[-1] for found in (first, meanwhile, after)] == [
        "claimed)",
        "work)",
        "done)",
    ]


def test_a_key_asked_for_twice_with_one_token_is_claimed(store: Store) -> None:
    """As after a COMMIT that raised and had happened."""
    for _ in range(2):
        found = store.engine.leases.once.claim(
            "n", ["k", "a"], holder="me", token="t", lease_ms=1000, payload_sha256=None
        )

    assert isinstance(found, Claimed)
    assert found.displaced is None
    store.engine.leases.once.complete(found.hold, "1", 1000)
    assert store.once("n", "k").result == 1


# DEDUPE-2
def test_the_same_key_in_another_namespace_is_another(store: Store) -> None:
    assert store.once("stripe", "1").claimed
    assert store.once("github", "1").claimed
    assert store.once("stripe", "2").claimed


# DEDUPE-6
def test_a_key_released_is_free_at_once_and_nothing_is_remembered(store: Store) -> None:
    first = store.once("n", "k", payload=b"one")

    first.release()
    first.release()

    again = store.once("n", "k", payload=b"another")
    assert again.claimed
    assert again.displaced is None
    assert first.fence is not None
    assert again.fence is not None
    assert again.fence > first.fence
    first.release()
    again.complete()


# LEASE-15, EFFECT-8, FP-3
def test_a_lapsed_claim_is_claimed_by_another_who_is_told_whose_it_was(
    store: Store, clock: FakeClock
) -> None:
    lapsed = store.once("n", "k", lease=timedelta(seconds=10))
    holder = store.once("n", "k").holder
    clock.advance(9.999)
    assert not store.once("n", "k").claimed
    assert not lapsed.lost
    clock.advance(0.001)
    assert lapsed.lost

    taken = store.once("n", "k")

    assert taken.claimed
    assert holder is not None
    assert lapsed.fence is not None
    assert taken.displaced == Displaced(holder, lapsed.fence, lapsed.expires_at)


# EFFECT-10, FP-5, FP-6
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("completed", [False, True])
def test_a_claim_taken_over_is_refused_and_changes_nothing(
    store: Store, clock: FakeClock, ending: str, completed: bool
) -> None:
    stale = store.once("n", "k", lease=10)
    clock.advance(10)
    taken = store.once("n", "k", lease=10)
    if completed:
        taken.complete({"by": "the holder"})

    with pytest.raises(LeaseLost) as refused:
        ENDINGS[ending](stale)

    assert (refused.value.cause, refused.value.operation) == ("superseded", ending)
    if not completed:
        taken.renew()
        taken.complete({"by": "the holder"})
    assert store.once("n", "k").result == {"by": "the holder"}


@pytest.mark.parametrize("ending", ["complete", "release"])
def test_a_late_ending_is_accepted_while_nobody_has_taken_over(
    store: Store, clock: FakeClock, ending: str
) -> None:
    found = store.once("n", "k", lease=10)
    clock.advance(3600)

    ENDINGS[ending](found)

    after = store.once("n", "k")
    assert after.done == (ending == "complete")
    assert after.displaced is None


# LEASE-8
def test_a_lapsed_claim_is_not_renewed_though_nobody_took_over(
    store: Store, clock: FakeClock
) -> None:
    found = store.once("n", "k", lease=10)
    clock.advance(10)

    with pytest.raises(LeaseLost) as refused:
        found.renew()

    assert refused.value.cause == "expired"


def test_renewing_keeps_others_away(store: Store, clock: FakeClock) -> None:
    found = store.once("n", "k", lease=10, aliases=["a"])

    for _ in range(5):
        clock.advance(6)
        found.renew()
        assert found.expires_at == clock.wall / 1000 + 10
    found.renew(60)
    clock.advance(59)

    assert not found.lost
    assert not store.once("n", "k").claimed
    assert not store.once("n", "a").claimed


# COMMIT-3
def test_completing_twice_is_once_and_the_first_result_stays(store: Store) -> None:
    found = store.once("n", "k")

    found.complete(1)
    found.complete(2)

    assert store.once("n", "k").result == 1


@pytest.mark.parametrize(
    ("first", "then", "cause"),
    [
        ("complete", "release", "settled"),
        ("complete", "renew", "settled"),
        ("release", "complete", "released"),
        ("release", "renew", "released"),
    ],
)
def test_an_ended_claim_does_not_end_another_way(
    store: Store, first: str, then: str, cause: str
) -> None:
    found = store.once("n", "k")
    ENDINGS[first](found)

    with pytest.raises(LeaseLost) as refused:
        ENDINGS[then](found)

    assert refused.value.cause == cause
    assert store.once("n", "k").done == (first == "complete")


# DEDUPE-13
def test_a_result_is_remembered_from_its_completion_for_as_long_as_asked(
    store: Store, clock: FakeClock
) -> None:
    found = store.once("n", "k", keep_for=100)
    clock.advance(20)
    found.complete()

    clock.advance(99.999)
    assert store.once("n", "k").done
    clock.advance(0.001)
    again = store.once("n", "k")
    assert again.claimed
    assert again.displaced is None
    assert again.result is None


# EFFECT-4, FP-2
def test_the_same_key_with_another_payload_is_refused_in_work_and_done(store: Store) -> None:
    found = store.once("n", "k", payload=b"one")

    for _ in range(2):
        with pytest.raises(KeyConflict) as refused:
            store.once("n", "k", payload=b"another")
        assert (refused.value.code, refused.value.operation) == ("key_conflict", "once")
        assert not store.once("n", "k", payload=b"one").claimed
        assert not store.once("n", "k").claimed
        found.complete({"ok": 1})

    assert store.once("n", "k", payload=b"one").result == {"ok": 1}


def test_a_payload_is_forgotten_with_the_key(store: Store, clock: FakeClock) -> None:
    store.once("n", "k", payload=b"one", keep_for=10).complete()
    clock.advance(10)

    assert store.once("n", "k", payload=b"another").claimed


# DEDUPE-9, DEDUPE-10
def test_aliases_are_claimed_and_completed_together(store: Store) -> None:
    found = store.once("n", "k", aliases=["a", "b", "k", "a"])

    assert not any(store.once("n", key).claimed for key in ("k", "a", "b"))
    found.complete({"ok": 1})
    assert [store.once("n", key).result for key in ("k", "a", "b")] == [{"ok": 1}] * 3


# DEDUPE-9
def test_nothing_is_claimed_unless_all_aliases_are_free(store: Store) -> None:
    other = store.once("n", "b")

    assert store.once("n", "k", aliases=["a", "b"]).holder is not None
    other.complete({"by": "other"})
    assert store.once("n", "k", aliases=["a", "b"]).result == {"by": "other"}

    assert store.once("n", "a").claimed
    assert store.once("n", "k").claimed


# DEDUPE-9
def test_a_key_that_is_done_counts_for_more_than_one_in_work(store: Store) -> None:
    store.once("n", "in work")
    store.once("n", "done").complete(1)

    assert store.once("n", "in work", aliases=["done"]).done


# DEDUPE-9
@pytest.mark.parametrize("ending", ENDINGS)
def test_when_one_alias_was_taken_over_none_is_changed(
    store: Store, clock: FakeClock, ending: str
) -> None:
    stale = store.once("n", "k", lease=10, aliases=["a"])
    clock.advance(10)
    taken = store.once("n", "a", lease=10)

    with pytest.raises(LeaseLost):
        ENDINGS[ending](stale)

    assert store.once("n", "k").claimed
    taken.complete()


# SCHEMA-6
def test_it_completes_with_the_transaction_around_it(store: Store, effects: Effects) -> None:
    found = store.once("n", "k")

    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        effects.write(tx, 1)
        found.complete({"n": 1})
        raise ZeroDivisionError
    assert store.once("n", "k").holder is not None
    with store.transaction() as tx:
        effects.write(tx, 2)
        found.complete({"n": 2})

    assert store.once("n", "k").result == {"n": 2}
    assert effects.seen() == [2]


def test_a_late_completion_takes_the_transaction_around_it_with_it(
    store: Store, effects: Effects, clock: FakeClock
) -> None:
    stale = store.once("n", "k", lease=10)
    clock.advance(10)
    store.once("n", "k").complete({"by": "the holder"})

    with pytest.raises(LeaseLost), store.transaction() as tx:
        effects.write(tx, 1)
        stale.complete()

    assert effects.seen() == []


def test_a_key_is_neither_claimed_nor_renewed_within_a_transaction(store: Store) -> None:
    found = store.once("n", "k")

    for call in (lambda: store.once("n", "other"), found.renew):
        with store.transaction(), pytest.raises(InvalidInput):
            call()

    assert store.once("n", "other").claimed


@pytest.mark.parametrize(
    "result", [None, 0, "", [], {"a": [1, {"b": None}]}, "é\u2028", 1.5, False]
)
def test_any_json_is_a_result(store: Store, result: Any) -> None:
    store.once("n", "k").complete(result)

    found = store.once("n", "k")

    assert found.done
    assert found.result == result


def test_a_result_too_large_to_store_is_refused_and_the_claim_stays(store: Store) -> None:
    found = store.once("n", "k")

    with pytest.raises(LimitExceeded):
        found.complete("x" * 25 * 1024 * 1024)

    found.complete("x")
    assert store.once("n", "k").result == "x"


# DEDUPE-2, DEDUPE-3
@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.once("", "k"),
        lambda store: store.once("a b", "k"),
        lambda store: store.once("n", ""),
        lambda store: store.once("n", None),
        lambda store: store.once("n", 7),
        lambda store: store.once("n", "x" * 513),
        lambda store: store.once("n", "k", lease=0),
        lambda store: store.once("n", "k", keep_for=0),
        lambda store: store.once("n", "k", payload="text"),
        lambda store: store.once("n", "k", aliases="text"),
        lambda store: store.once("n", "k", aliases=[""]),
        lambda store: store.once("n", "k", aliases=None),
        lambda store: store.once("n", "other").complete({1, 2}),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_claimed(
    store: Store, call: Callable[[Store], object]
) -> None:
    with pytest.raises(InvalidInput):
        call(store)

    assert store.once("n", "k").claimed


@pytest.mark.parametrize("ending", ENDINGS)
def test_only_a_claim_can_be_ended(store: Store, ending: str) -> None:
    store.once("n", "k").complete(1)

    with pytest.raises(InvalidInput):
        ENDINGS[ending](store.once("n", "k"))

    assert store.once("n", "k").result == 1


# EFFECT-13
def test_the_right_fence_with_another_token_is_refused(store: Store) -> None:
    """After a power loss without full durability a fence may be given out twice."""
    found = store.once("n", "k")
    hold = found._claim()
    forged = type(hold)(hold.namespace, hold.keys, hold.fence, "0" * 32)

    with pytest.raises(LeaseLost):
        store.engine.leases.once.complete(forged, None, 1000)

    assert hold.token not in repr(found) + repr(hold)
    found.complete()


def test_a_reboot_frees_what_was_in_work_and_keeps_what_was_done(
    kit: Kit, clock: FakeClock
) -> None:
    with kit.open() as before:
        before.once("n", "in work", lease=86_400)
        before.once("n", "done").complete(1)
    rebooted = FakeClock(boot=1_000, wall=clock.wall, boot_name="second boot")

    with kit.open(clock=rebooted) as after:
        assert after.once("n", "in work").claimed
        assert after.once("n", "done").result == 1


# LEASE-23, EFFECT-20
@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
def test_a_step_of_the_wall_clock_frees_nothing_and_forgets_nothing(
    store: Store, clock: FakeClock, step_ms: int
) -> None:
    store.once("n", "in work", lease=30)
    store.once("n", "done", keep_for=60).complete(1)

    clock.wall += step_ms
    clock.advance(29.999)

    assert not store.once("n", "in work").claimed
    clock.advance(0.001)
    assert store.once("n", "in work").claimed
    clock.advance(29.999)
    assert store.once("n", "done").done
    clock.advance(0.001)
    assert not store.once("n", "done").done


def test_who_completed_a_key_cannot_release_it_once_another_has_claimed_it(
    store: Store, clock: FakeClock
) -> None:
    first = store.once("stripe", "evt_1", keep_for=60)
    first.complete()
    clock.advance(60)
    second = store.once("stripe", "evt_1")

    with pytest.raises(LeaseLost) as told:
        first.release()

    assert second.claimed
    assert told.value.cause == "superseded"


def test_a_key_released_is_free_though_a_reboot_sets_the_clock_back(
    kit: Kit, clock: FakeClock
) -> None:
    with kit.open() as store:
        once = store.once("stripe", "evt_1", payload=b"one")
        clock.advance(600)
        once.release()
    clock.boot_name, clock.wall = "second boot", clock.wall - 3600_000

    with kit.open() as store:
        assert store.once("stripe", "evt_1", payload=b"two").claimed
