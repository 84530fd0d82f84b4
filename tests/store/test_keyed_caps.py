"""Caps and options of keyed state: what goes when there is no room, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from fencepost import InvalidInput, Keyed, LimitExceeded, Namespace, Store

from ..clock import FakeClock
from ..kits import Kit


def keys(keyed: Keyed) -> list[str]:
    return [entry.key for entry in keyed.entries()]


def rows(keyed: Keyed) -> int:
    space = keyed.capacity()
    assert space is not None
    return space.rows


# KV-1, KV-20
def test_at_the_cap_the_oldest_goes_then_the_least_key(store: Store, clock: FakeClock) -> None:
    keyed = store.keyed("a", "x", max_entries=3)
    for key in ("c", "b"):
        keyed.register(key, 1)
    clock.advance(1)
    keyed.register("a", 1)

    keyed.register("d", 1)
    assert keys(keyed) == ["c", "a", "d"]
    keyed.register("c", 1)  # renewed: now among the youngest
    keyed.register("e", 1)
    assert keys(keyed) == ["c", "d", "e"]


# KV-21
@pytest.mark.parametrize("cap", [1, 2])
def test_what_was_just_written_is_never_what_is_evicted(store: Store, cap: int) -> None:
    keyed = store.keyed("a", "x", max_entries=cap)

    for key in ("z", "y", "x", "a", "b"):  # at one moment, and less and less
        keyed.register(key, key)
        assert keyed.lookup(key) == key
        assert keyed.count() <= cap


# CLAIMKEY-4, KV-20
def test_a_claim_evicts_as_a_registration_does(store: Store) -> None:
    keyed = store.keyed("a", "x", max_entries=1)
    keyed.register("old", 1)

    assert keyed.register_if_absent("old", 2) is False
    assert keys(keyed) == ["old"]
    assert keyed.register_if_absent("new", 1) is True
    assert keys(keyed) == ["new"]


# KV-20, CLAIMKEY-4
def test_where_overflow_is_reject_a_new_key_is_refused_and_nothing_changes(
    store: Store, clock: FakeClock
) -> None:
    keyed = store.keyed("a", "x", max_entries=2, overflow="reject")
    keyed.register("a", 1)
    keyed.register("b", 1, ttl=10)
    before = keyed.entries()

    for call in (keyed.register, keyed.register_if_absent):
        with pytest.raises(LimitExceeded) as refused:
            call("c", 1)
        assert refused.value.operation == call.__name__
        assert refused.value.path == store.engine.identity.address
    assert keyed.entries() == before
    assert rows(keyed) == 2

    keyed.register("a", 2)
    assert keyed.register_if_absent("a", 3) is False
    assert keyed.update("a", lambda n: n + 1) == 3
    clock.advance(10)
    keyed.register("c", 1)
    assert sorted(keys(keyed)) == ["a", "c"]


# KV-35
def test_what_has_expired_goes_before_anything_live(store: Store, clock: FakeClock) -> None:
    keyed = store.keyed("a", "x", max_entries=3)
    keyed.register("oldest", 1)
    clock.advance(1)
    keyed.register("short", 1, ttl=1)
    keyed.register("young", 1)
    clock.advance(1)

    keyed.register("new", 1)

    assert keys(keyed) == ["oldest", "young", "new"]


# KV-35
@pytest.mark.sqlite("the bound is its own")
def test_a_write_frees_a_bounded_number_of_expired_rows_oldest_first(
    store: Store, clock: FakeClock
) -> None:
    keyed = store.keyed("a", "x", max_entries=3000, overflow="reject")
    keyed.register_many(((f"late {n}", n) for n in range(1000)), ttl=20)
    keyed.register_many(((f"soon {n}", n) for n in range(2000)), ttl=10)
    clock.advance(30)

    left = []
    for n in range(4):
        keyed.register(f"{n}", n)
        left.append(rows(keyed))
    assert left == [3000 - 1024 + 1, 3000 - 2048 + 2, 3, 4]


# KV-40
def test_an_owner_at_its_limit_loses_what_has_expired_anywhere_first(
    store: Store, clock: FakeClock
) -> None:
    a = store.keyed("owner", "a", owner_max_entries=4)
    b = store.keyed("owner", "b", overflow="reject")
    b.register("b1", 1, ttl=1)
    b.register("b2", 1, ttl=1)
    a.register("a1", 1)
    clock.advance(1)
    a.register("a2", 1)
    assert rows(b) == 2

    a.register("a3", 1)
    assert (keys(a), rows(b)) == (["a1", "a2", "a3"], 0)
    b.register("b3", 1)
    with pytest.raises(LimitExceeded):
        b.register("b4", 1)
    a.register("a4", 1)
    assert (keys(a), keys(b)) == (["a2", "a3", "a4"], ["b3"])
    store.keyed("other", "a").register("k", 1)


# KV-40
def test_one_namespace_never_evicts_what_is_live_in_another(store: Store) -> None:
    full = store.keyed("owner", "full", owner_max_entries=2)
    full.register("1", 1)
    full.register("2", 1)
    empty = store.keyed("owner", "empty")

    with pytest.raises(LimitExceeded):
        empty.register("k", 1)

    assert (keys(full), keys(empty)) == (["1", "2"], [])
    full.register("3", 1)
    assert keys(full) == ["2", "3"]


# KV-38
def test_the_capacity_is_what_the_caps_count(store: Store, clock: FakeClock) -> None:
    keyed = store.keyed("a", "x", max_entries=5, ttl=1, overflow="reject", owner_max_entries=9)
    keyed.register("k", 1)
    store.keyed("a", "y").register("k", 1)
    clock.advance(2)

    assert keyed.capacity() == Namespace("a", "x", 1, 5, 1.0, "reject", 2, 9)
    assert keyed.count() == 0
    assert [space.name for space in store.namespaces()] == ["x", "y"]
    assert len(store.namespaces(limit=1)) == 1


# KV-28
def test_without_options_nothing_goes_and_nothing_expires(store: Store, clock: FakeClock) -> None:
    keyed = store.keyed("a", "kept")
    keyed.register_many((f"{n}", n) for n in range(1500))
    clock.advance(50 * 365 * 86_400)

    assert keyed.count() == 1500
    assert keyed.capacity() == Namespace("a", "kept", 1500, None, None, "evict", 1500, None)


DIFFERENT = [
    {"max_entries": 6},
    {"max_entries": None},
    {"ttl": 61},
    {"ttl": None},
    {"overflow": "evict"},
    {"owner_max_entries": 51},
    {"owner_max_entries": None},
    {"max_entries": 5, "ttl": 59},
]
RECORDED: dict[str, Any] = {
    "max_entries": 5,
    "ttl": 60,
    "overflow": "reject",
    "owner_max_entries": 50,
}


# KV-33
@pytest.mark.parametrize("different", DIFFERENT, ids=str)
def test_other_options_than_recorded_are_refused_with_both_named(
    store: Store, different: dict[str, Any]
) -> None:
    store.keyed("a", "x", **RECORDED).register("k", 1)
    before = store.namespaces()

    with pytest.raises(InvalidInput) as refused:
        store.keyed("a", "x", **different)

    option = list(different)[-1]
    assert f"{option} {RECORDED[option]!r}" in str(refused.value)
    assert f"{option} {different[option]!r}" in str(refused.value)
    assert store.namespaces() == before


# KV-33
def test_what_is_left_out_is_as_recorded(store: Store, kit: Kit, clock: FakeClock) -> None:
    store.keyed("a", "x", max_entries=1, ttl=60).register("k", 1)
    with kit.open() as other:
        given: list[dict[str, Any]] = [{}, {"ttl": 60.0}, {"max_entries": 1}]
        for options in given:
            other.keyed("a", "x", **options).register("other", 1)

    (entry,) = store.keyed("a", "x").entries()
    assert (entry.key, entry.expires_at) == ("other", clock.wall / 1000 + 60)


# KV-33
def test_the_first_write_records_the_defaults(store: Store) -> None:
    store.keyed("a", "x").register("k", 1)

    with pytest.raises(InvalidInput):
        store.keyed("a", "x", max_entries=5)
    with pytest.raises(InvalidInput):
        store.keyed("a", "y", owner_max_entries=5)
    assert [space.name for space in store.namespaces()] == ["x"]


# KV-33
@pytest.mark.parametrize("different", DIFFERENT, ids=str)
def test_options_can_be_changed_while_there_are_no_entries(
    store: Store, clock: FakeClock, different: dict[str, Any]
) -> None:
    first = store.keyed("a", "x", **RECORDED)
    first.register("k", 1)
    clock.advance(60)  # what has expired is in nobody's way

    changed = store.keyed("a", "x", **different)
    changed.register("k", 1)

    space = changed.capacity()
    assert space is not None
    for option, value in {**RECORDED, **different}.items():
        assert getattr(space, option) == value
    with pytest.raises(InvalidInput):
        first.register("k", 2)  # who relied on the old ones is told


# KV-33
@pytest.mark.parametrize(
    "options",
    [
        {"max_entries": 0},
        {"max_entries": -1},
        {"max_entries": True},
        {"max_entries": 1.5},
        {"owner_max_entries": 0},
        {"overflow": "drop"},
        {"overflow": None},
        {"overflow": ["evict"]},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(store: Store, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        store.keyed("a", "x", **options)
    assert store.namespaces() == []
