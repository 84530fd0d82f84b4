"""Keyed state, one key at a time: what is stored, for how long, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fencepost import Entry, InvalidInput, Keyed, LimitExceeded, Store

from ..clock import FakeClock
from ..kits import Kit


@pytest.fixture
def keyed(store: Store) -> Keyed:
    return store.keyed("slack", "threads")


def nested(depth: int) -> Any:
    value: Any = "x"
    for n in range(depth):
        value = [value] if n % 2 else {"k": value}
    return value


def keys(found: list[Entry]) -> list[str]:
    return [entry.key for entry in found]


# KV-1, KV-3
@pytest.mark.parametrize(
    "value",
    [None, True, 0, -7, 1.5, -0.0, 2**70, "", "ü\u2028\0📮", [], {}, {"a": [1, {"b": None}]}],
)
def test_a_value_comes_back_as_it_was(keyed: Keyed, value: Any) -> None:
    keyed.register("k", value)

    assert keyed.lookup("k", "none") == value
    assert type(keyed.lookup("k")) is type(value)


# KV-3
def test_a_key_that_holds_nothing_is_its_default(keyed: Keyed) -> None:
    assert keyed.lookup("k") is None
    assert keyed.lookup("k", default=7) == 7
    assert keyed.consume("k", default=7) == 7


# KV-1
def test_registering_again_renews_value_age_and_ttl(
    store: Store, keyed: Keyed, clock: FakeClock
) -> None:
    keyed.register("a", 1, ttl=10)
    keyed.register("b", 1)
    clock.advance(8)

    keyed.register("a", 2, ttl=timedelta(seconds=10))

    clock.advance(8)
    now = clock.wall / 1000
    assert keyed.entries() == [Entry("b", 1, now - 16, None), Entry("a", 2, now - 8, now + 2)]
    keyed.register("a", 3)
    assert keyed.entries()[-1].expires_at is None


# KV-2
@pytest.mark.parametrize(
    "read",
    [
        lambda keyed: keyed.lookup("k"),
        lambda keyed: keyed.consume("k"),
        lambda keyed: keyed.lookup_many(["k"])[0],
        lambda keyed: keyed.entries() or None,
        lambda keyed: keyed.range() or None,
        lambda keyed: keyed.count() or None,
        lambda keyed: keyed.observe("k").entry,
        lambda keyed: keyed.update("k", lambda held: None),
        lambda keyed: keyed.delete_if("k", lambda held: True) or None,
    ],
)
def test_what_has_expired_is_gone_for_every_read(
    keyed: Keyed, clock: FakeClock, read: Callable[[Keyed], object]
) -> None:
    keyed.register("k", 1, ttl=10)
    clock.advance(9.999)
    assert keyed.lookup("k") == 1

    clock.advance(0.001)

    assert read(keyed) is None


# KV-4
def test_consuming_takes_the_value_once(keyed: Keyed) -> None:
    keyed.register("k", {"n": 1})

    assert keyed.consume("k") == {"n": 1}
    assert keyed.consume("k") is None
    assert keyed.count() == 0


# KV-5
def test_delete_says_whether_a_row_was_there_expired_or_not(keyed: Keyed, clock: FakeClock) -> None:
    keyed.register("live", 1)
    keyed.register("expired", 1, ttl=1)
    clock.advance(2)

    assert [keyed.delete(key) for key in ("expired", "live", "live", "never")] == [
        True,
        True,
        False,
        False,
    ]


# KV-6, FILE-4
def test_entries_are_in_the_order_of_age_then_key(keyed: Keyed, clock: FakeClock) -> None:
    for key in ("c", "a"):
        keyed.register(key, 0)
    clock.advance(1)
    for key in ("b", "0"):
        keyed.register(key, 0)

    assert keys(keyed.entries()) == ["a", "c", "0", "b"]
    assert keys(keyed.entries(limit=2)) == ["a", "c"]


# KV-7
def test_clear_removes_every_row_of_this_namespace_alone(
    store: Store, keyed: Keyed, clock: FakeClock
) -> None:
    other = store.keyed("slack", "other")
    other.register("k", 1)
    keyed.register_many((f"{n}", n) for n in range(2500))
    keyed.register("expired", 1, ttl=1)
    clock.advance(2)

    assert keyed.clear() == 2501
    assert keyed.clear() == 0
    assert (keyed.count(), keyed.entries(), other.count()) == (0, [], 1)
    assert store.keyed("no", "body").clear() == 0


# KV-27
def test_the_count_leaves_out_what_has_expired_and_is_not_swept(
    keyed: Keyed, clock: FakeClock
) -> None:
    keyed.register_many(((f"{n}", n) for n in range(30)), ttl=1)
    keyed.register("stays", 1)
    clock.advance(2)

    assert keyed.count() == 1


# PROC-3, FILE-3, CLAIMKEY-1
def test_a_live_key_cannot_be_claimed_again_and_is_untouched(
    keyed: Keyed, clock: FakeClock
) -> None:
    assert keyed.register_if_absent("k", "first", ttl=10) is True
    before = keyed.entries()
    clock.advance(5)

    assert keyed.register_if_absent("k", "second", ttl=100) is False

    assert keyed.entries() == before
    clock.advance(5)
    assert keyed.register_if_absent("k", "third") is True
    assert keyed.lookup("k") == "third"


# CLAIMKEY-1, KV-35
@pytest.mark.sqlite("a write of its frees a bounded number of rows")
def test_a_claim_takes_its_expired_key_wherever_it_lies_among_the_expired(
    keyed: Keyed, clock: FakeClock
) -> None:
    keyed.register_many(((f"{n}", n) for n in range(2100)), ttl=1)
    keyed.register("k", "old", ttl=2)  # expires last, now: pruning does not reach it
    clock.advance(2)

    assert keyed.register_if_absent("k", "new") is True
    assert keyed.lookup("k") == "new"
    assert keyed.capacity().rows == 2100 - 1024 + 1  # type: ignore[union-attr]


# CLAIMKEY-3
def test_the_same_key_elsewhere_is_another(store: Store) -> None:
    places = [store.keyed(*place) for place in (("a", "x"), ("a", "y"), ("b", "x"))]

    assert [place.register_if_absent("k", n) for n, place in enumerate(places)] == [True] * 3
    assert [place.lookup("k") for place in places] == [0, 1, 2]
    assert places[0].delete("k")
    assert [place.count() for place in places] == [0, 1, 1]


# KV-22
def test_an_update_sees_the_value_and_what_it_returns_is_registered(
    keyed: Keyed, clock: FakeClock
) -> None:
    assert keyed.update("k", lambda n: n + 1, default=0) == 1
    clock.advance(5)
    assert keyed.update("k", lambda n: n + 1, default=0, ttl=10) == 2

    assert keyed.entries() == [Entry("k", 2, clock.wall / 1000, clock.wall / 1000 + 10)]


# KV-22
def test_an_update_that_returns_nothing_leaves_the_entry_and_null_can_be_stored(
    keyed: Keyed, clock: FakeClock
) -> None:
    from fencepost import NULL

    keyed.register("k", [1], ttl=10)
    before = keyed.entries()
    clock.advance(1)

    assert keyed.update("k", lambda held: held.append(2)) == [1, 2]
    assert keyed.entries() == before
    assert keyed.update("absent", lambda held: None) is None
    assert keyed.count() == 1
    assert keyed.update("k", lambda held: NULL) is None
    assert keyed.lookup("k", "none") is None


# KV-22, KV-23
def test_a_function_that_fails_or_gives_no_json_changes_nothing(keyed: Keyed) -> None:
    keyed.register("k", 1)

    with pytest.raises(ZeroDivisionError):
        keyed.update("k", lambda n: n / 0)
    with pytest.raises(InvalidInput):
        keyed.update("k", lambda n: object())
    with pytest.raises(ZeroDivisionError):
        keyed.delete_if("k", lambda n: n / 0)

    assert keyed.lookup("k") == 1


# KV-22
def test_what_a_function_does_with_the_store_is_part_of_the_update(
    store: Store, keyed: Keyed
) -> None:
    def change(held: Any) -> int:
        keyed.register("beside", 1)
        keyed.register("k", "overwritten")
        raise KeyError

    with pytest.raises(KeyError):
        keyed.update("k", change)

    assert keyed.count() == 0
    assert keyed.capacity() is None


# KV-23
def test_a_delete_can_depend_on_the_value(keyed: Keyed) -> None:
    keyed.register("k", {"owner": "me"})

    assert not keyed.delete_if("k", lambda held: held["owner"] == "you")
    assert not keyed.delete_if("absent", lambda held: True)
    assert keyed.delete_if("k", lambda held: held["owner"] == "me")
    assert keyed.count() == 0


# KV-23
@pytest.mark.parametrize("other", [1.0, True, "1", None, 2])
def test_equality_is_of_value_and_type(keyed: Keyed, other: Any) -> None:
    keyed.register("k", 1)

    assert not keyed.delete_if_equal("k", other)
    assert keyed.delete_if_equal("k", 1)
    with pytest.raises(InvalidInput):
        keyed.delete_if_equal("k", [1])  # type: ignore[arg-type]


# KV-25
def test_many_keys_are_looked_up_in_their_order(keyed: Keyed) -> None:
    keyed.register("a", 1)
    keyed.register("b", None)

    assert keyed.lookup_many([" b", "x", "a", "a"], default="-") == [None, "-", 1, 1]
    assert keyed.lookup_many([]) == []
    assert len(keyed.lookup_many([f"{n}" for n in range(10_000)])) == 10_000
    with pytest.raises(LimitExceeded):
        keyed.lookup_many(["k"] * 10_001)


# KV-26
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, "a a/1 a/2 b ü 📮"),
        ({"start": "a/", "end": "a0"}, "a/1 a/2"),
        ({"start": "a/1", "end": "b"}, "a/1 a/2"),
        ({"start": "b"}, "b ü 📮"),
        ({"end": "a/2"}, "a a/1"),
        ({"end": ""}, ""),
        ({"start": "z", "end": "a"}, ""),
        ({"limit": 2}, "a a/1"),
        ({"limit": 2, "descending": True}, "📮 ü"),
        ({"end": "b", "limit": 2, "descending": True}, "a/2 a/1"),
    ],
)
def test_a_range_includes_its_start_and_not_its_end(
    keyed: Keyed, clock: FakeClock, arguments: dict[str, Any], found: str
) -> None:
    for key in ("b", "a/2", "ü", "a", "📮", "a/1"):
        keyed.register(key, key)
    keyed.register("a/0", "expired", ttl=1)
    clock.advance(1)

    assert keys(keyed.range(**arguments)) == found.split()


# KV-31
def test_many_are_registered_in_batches_and_the_committed_ones_are_told(keyed: Keyed) -> None:
    from fencepost import ImportFailed

    pairs: list[tuple[str, Any]] = [(f"{n:04}", n) for n in range(1200)]
    assert keyed.register_many(pairs, ttl=60) == 1200
    keyed.clear()
    pairs[700] = ("bad", object())

    with pytest.raises(ImportFailed) as caught:
        keyed.register_many(pairs)

    assert caught.value.committed == 500
    assert isinstance(caught.value.__cause__, InvalidInput)
    assert keys(keyed.range()) == [f"{n:04}" for n in range(500)]
    del pairs[700]
    assert keyed.register_many(pairs[500:]) == 699
    assert keyed.count() == 1199


# KV-34
@pytest.mark.parametrize("key", ["", "  ", "x" * 513, "a\0b", "a\nb", "\ud800", 7, None, b"k"])
def test_a_key_that_makes_no_sense_is_refused_by_every_verb(keyed: Keyed, key: Any) -> None:
    for call in (
        lambda: keyed.register(key, 1),
        lambda: keyed.register_if_absent(key, 1),
        lambda: keyed.lookup(key),
        lambda: keyed.lookup_many([key]),
        lambda: keyed.consume(key),
        lambda: keyed.delete(key),
        lambda: keyed.update(key, lambda held: 1),
        lambda: keyed.delete_if(key, lambda held: True),
        lambda: keyed.observe(key),
        lambda: keyed.compare_and_set(key, "1:a:-", 1),
    ):
        with pytest.raises(InvalidInput):
            call()
    assert keyed.capacity() is None


# KV-34
def test_a_key_is_trimmed_and_may_have_512_bytes(keyed: Keyed) -> None:
    keyed.register(" \t k k\n", 1)
    keyed.register("ü" * 256, 2)

    assert keyed.lookup("k k") == 1
    assert keyed.delete("  k k ")
    assert keys(keyed.entries()) == ["ü" * 256]


def circle() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def doubling() -> Any:
    value: Any = []
    for _ in range(60):
        value = [value, value]
    return value


# KV-34
@pytest.mark.sqlite("it is refused before the engine is asked")
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (object(), InvalidInput),
        (b"bytes", InvalidInput),
        ({1, 2}, InvalidInput),
        ({1: "key"}, InvalidInput),
        ({None: "key"}, InvalidInput),
        (float("nan"), InvalidInput),
        ([{"a": float("inf")}], InvalidInput),
        ("\ud800", InvalidInput),
        ({"\ud800": 1}, InvalidInput),
        (10**5000, InvalidInput),
        (circle(), InvalidInput),
        (nested(65), InvalidInput),
        (doubling(), LimitExceeded),
        ("x" * (1024 * 1024 - 1), LimitExceeded),
        (["ü" * (512 * 1024)], LimitExceeded),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_is_no_json_or_too_large_is_refused(
    keyed: Keyed, value: Any, error: type[Exception]
) -> None:
    keyed.register("k", "before")

    for call in (
        lambda: keyed.register("k", value),
        lambda: keyed.register_if_absent("other", value),
        lambda: keyed.update("k", lambda held: value),
    ):
        with pytest.raises(error):
            call()

    assert keyed.lookup("k") == "before"
    assert keyed.count() == 1


# KV-34, KV-8
def test_the_largest_and_the_deepest_value_fit(keyed: Keyed) -> None:
    keyed.register("large", "x" * (1024 * 1024 - 2))
    keyed.register("deep", nested(64))
    keyed.register("tuple", (1, (2,)))

    assert len(keyed.lookup("large")) == 1024 * 1024 - 2
    assert keyed.lookup("deep") == nested(64)
    assert keyed.lookup("tuple") == [1, [2]]


# KV-34
@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), "soon", True, 10**12])
def test_a_ttl_that_makes_no_sense_is_refused(store: Store, keyed: Keyed, ttl: Any) -> None:
    with pytest.raises(InvalidInput):
        keyed.register("k", 1, ttl=ttl)
    with pytest.raises(InvalidInput):
        store.keyed("slack", "threads", ttl=ttl)
    assert keyed.capacity() is None


# KV-34
@pytest.mark.parametrize("name", ["", ".", "a/b", "a b", "ü", "x" * 129, "a\n", 7, None])
def test_owner_and_namespace_need_proper_names(store: Store, name: Any) -> None:
    with pytest.raises(InvalidInput):
        store.keyed(name, "threads")
    with pytest.raises(InvalidInput):
        store.keyed("slack", name)


# KV-36
def test_reading_makes_nothing(store: Store) -> None:
    keyed = store.keyed("slack", "threads")

    assert keyed.lookup("k") is keyed.consume("k") is keyed.observe("k").entry is None
    assert keyed.entries() == keyed.range() == keyed.lookup_many([]) == []
    assert (keyed.count(), keyed.clear(), keyed.delete("k")) == (0, 0, False)
    assert store.namespaces() == []
    assert keyed.capacity() is None


# KV-29
def test_a_namespace_is_renamed_by_moving_its_entries(store: Store, clock: FakeClock) -> None:
    old, new = store.keyed("slack", "old"), store.keyed("slack", "new", max_entries=3)
    old.register("a", "old")
    old.register("both", "old")
    old.register("expired", "old", ttl=1)
    clock.advance(2)
    new.register("both", "new")

    assert new.move_from("old") == 1

    assert {entry.key: entry.value for entry in new.entries()} == {"a": "old", "both": "new"}
    assert new.entries()[0].created_at == clock.wall / 1000 - 2
    assert old.entries() == []
    assert [space.rows for space in store.namespaces()] == [2, 0]
    assert store.namespaces()[0].owner_rows == 2
    assert new.move_from("old") == new.move_from("never") == 0


# KV-29
def test_a_move_that_cannot_be_whole_changes_nothing(store: Store) -> None:
    old, new = store.keyed("slack", "old"), store.keyed("slack", "new", max_entries=2)
    new.register("k", 1)
    old.register("a", 1)
    old.register("b", 1, ttl=60)
    with pytest.raises(InvalidInput):
        new.move_from("old")
    old.register("b", 1)
    with pytest.raises(LimitExceeded):
        new.move_from("old")
    with pytest.raises(InvalidInput):
        new.move_from("new")

    assert (old.count(), new.count()) == (2, 1)
    old.register_many((f"{n}", n) for n in range(10_000))
    with pytest.raises(LimitExceeded):
        store.keyed("slack", "third").move_from("old")
    assert old.count() == 10_002


# KV-29
@pytest.mark.sqlite("a write of its frees a bounded number of rows")
def test_a_move_replaces_what_has_expired_however_much_of_it_there_is(
    store: Store, clock: FakeClock
) -> None:
    old, new = store.keyed("slack", "old"), store.keyed("slack", "new", max_entries=2000)
    new.register_many(((f"{n}", "new") for n in range(1500)), ttl=1)
    new.register("last", "new", ttl=2)
    clock.advance(2)
    old.register("last", "old")
    old.register("1499", "old")

    assert new.move_from("old") == 2

    assert new.lookup_many(["last", "1499", "3"]) == ["old", "old", None]
    assert new.capacity().rows == 1501 - 1024  # type: ignore[union-attr]
    assert new.count() == 2


# KV-30
def test_a_cursor_and_its_journal_are_written_together_in_order_of_time(
    store: Store, clock: FakeClock
) -> None:
    cursor, journal = store.keyed("audit", "cursor"), store.keyed("audit", "journal")

    def append(store: Store, said: str) -> None:
        with store.transaction():
            number = cursor.update("last", lambda last: last + 1, default=0)
            journal.register(f"{number:09}", said)
            if said == "fails":
                raise RuntimeError

    append(store, "one")
    with pytest.raises(RuntimeError):
        append(store, "fails")
    clock.advance(1)
    append(store, "two")

    assert cursor.lookup("last") == 2
    assert [entry.value for entry in journal.range()] == ["one", "two"]
    times = [entry.created_at for entry in journal.range()]
    assert times == sorted(times)


# FILE-4
def test_a_clock_set_back_at_the_next_boot_makes_nothing_live_longer(
    kit: Kit, clock: FakeClock
) -> None:
    with kit.open() as store:
        keyed = store.keyed("slack", "threads", max_entries=2)
        keyed.register("a", 1, ttl=100)
        clock.wall += 10**9  # within a boot nobody looks at the wall again
        keyed.register("b", 1)
        assert keyed.lookup("a") == 1
    clock.boot, clock.boot_name = 5_000, "second boot"
    clock.wall = 1_700_000_000_000  # three years before
    with kit.open() as store:
        keyed = store.keyed("slack", "threads")
        keyed.register("c", 1)
        assert keys(keyed.entries()) == ["b", "c"]
        keyed.register("a", 1, ttl=100)
        clock.advance(100)
        assert keyed.lookup("a") is None


@pytest.mark.parametrize(
    "call",
    [
        lambda keyed: keyed.register_many(None),
        lambda keyed: keyed.lookup_many(5),
        lambda keyed: keyed.lookup_many("ab"),
        lambda keyed: keyed.delete_observed(None),
        lambda keyed: keyed.delete_observed(["a"]),
    ],
)
def test_what_is_no_list_of_the_right_things_is_refused(
    store: Store, call: Callable[[Keyed], object]
) -> None:
    keyed = store.keyed("slack", "threads")
    keyed.register("a", 1)

    with pytest.raises(InvalidInput):
        call(keyed)

    assert keyed.lookup_many(key for key in ("a", "b")) == [1, None]  # type: ignore[arg-type]
