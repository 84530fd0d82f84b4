"""A change that happens only if nothing has changed since it was observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fencepost import InvalidInput, Keyed, LimitExceeded, Store

from ..clock import FakeClock
from ..kits import Kit


@pytest.fixture
def keyed(store: Store) -> Keyed:
    return store.keyed("slack", "threads", ttl=100)


# COMMIT-6, KV-24
def test_what_is_as_observed_is_changed_and_the_answer_can_be_compared_next(
    keyed: Keyed,
) -> None:
    seen = keyed.observe(" k ")
    assert (seen.key, seen.entry) == ("k", None)

    first = keyed.compare_and_set("k", seen.token, {"n": 1})
    second = keyed.compare_and_set("k", first.current.token, {"n": 2}, ttl=5)
    third = keyed.compare_and_delete("k", second.current.token)
    fourth = keyed.compare_and_delete("k", third.current.token)

    assert [first.status, second.status, third.status] == ["applied"] * 3
    assert second.current.entry is not None
    assert second.current.entry.value == {"n": 2}
    assert fourth.status == "unchanged"
    assert third.current == fourth.current == seen


def _renew(keyed: Keyed, clock: FakeClock) -> None:
    clock.advance(1)
    keyed.register("k", 1)


CHANGES: dict[str, Callable[[Keyed, FakeClock], object]] = {
    "another value": lambda keyed, clock: keyed.register("k", 2),
    "another age": _renew,
    "another ttl": lambda keyed, clock: keyed.register("k", 1, ttl=7),
    "it is gone": lambda keyed, clock: keyed.delete("k"),
    "it has expired": lambda keyed, clock: clock.advance(100),
}


# KV-24
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("verb", ["set", "delete"])
def test_any_change_since_is_a_conflict_that_tells_what_is_there(
    keyed: Keyed, clock: FakeClock, change: Callable[[Keyed, FakeClock], object], verb: str
) -> None:
    keyed.register("k", 1)
    token = keyed.observe("k").token
    change(keyed, clock)
    now = keyed.observe("k")

    outcome = (
        keyed.compare_and_set("k", token, "mine")
        if verb == "set"
        else keyed.compare_and_delete("k", token)
    )

    assert outcome.status == "conflict"
    assert outcome.current == now == keyed.observe("k")


# KV-24
def test_a_token_of_elsewhere_is_refused(store: Store, keyed: Keyed, kit: Kit) -> None:
    keyed.register("k", 1)
    with kit.elsewhere().open() as elsewhere:
        foreign = elsewhere.keyed("slack", "threads").observe("k").token
    strangers = [
        foreign,
        keyed.observe("other").token,
        store.keyed("slack", "other").observe("k").token,
        store.keyed("other", "threads").observe("k").token,
        "",
        "1:x:-",
        keyed.observe("k").token.replace("1:", "2:", 1),
        None,
    ]

    for token in strangers:
        with pytest.raises(InvalidInput):
            keyed.compare_and_set("k", token, 2)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput):
            keyed.compare_and_delete("k", token)  # type: ignore[arg-type]
    assert keyed.lookup("k") == 1


# KV-24, KV-20
def test_a_comparison_obeys_the_cap(store: Store) -> None:
    keyed = store.keyed("a", "x", max_entries=1, overflow="reject")
    keyed.register("k", 1)

    with pytest.raises(LimitExceeded):
        keyed.compare_and_set("new", keyed.observe("new").token, 1)
    assert keyed.compare_and_set("k", keyed.observe("k").token, 2).status == "applied"


# KV-32
def test_of_many_those_are_deleted_that_are_as_observed(keyed: Keyed) -> None:
    for n in range(5):
        keyed.register(f"{n}", n)
    seen = [keyed.observe(f"{n}") for n in range(6)]
    keyed.register("1", "changed")
    keyed.delete("3")

    assert keyed.delete_observed([*seen, seen[0]]) == [
        True,
        False,
        True,
        False,
        True,
        False,
        False,
    ]
    assert [entry.key for entry in keyed.entries()] == ["1"]


# KV-32
def test_deleting_too_many_or_a_strangers_deletes_none(keyed: Keyed) -> None:
    keyed.register("k", 1)
    seen = keyed.observe("k")

    with pytest.raises(LimitExceeded):
        keyed.delete_observed([seen] * 513)
    with pytest.raises(InvalidInput):
        keyed.delete_observed([seen, replace(seen, key="other")])
    assert keyed.lookup("k") == 1
