"""A damaged entry: told once, set aside, and in nobody's way."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from fencepost import Entry, Keyed, Store, StoreCorrupt
from fencepost.stress.sqlite.disk.disk import Disk

from .counting import counted_right
from .inside import ask, connection

DAMAGE = ["", "{", '{"a":', "NaN", "[1,]", "[" * 100_000, '"\x00"', "1" * 5000]


@pytest.fixture
def keyed(store: Store) -> Keyed:
    keyed = store.keyed("slack", "threads", max_entries=3, overflow="reject")
    for key in ("a", "bad", "c"):
        keyed.register(key, key)
    return keyed


def damage(store: Store, value: str | bytes = "{") -> None:
    """Spoil an entry as bit rot would."""
    given = value if isinstance(value, bytes) else value.encode()
    connection(store).execute(
        "update fp_entry set value = cast(? as text) where key = 'bad'", (given,)
    )


RAISING: dict[str, Callable[[Keyed], object]] = {
    "lookup": lambda keyed: keyed.lookup("bad"),
    "consume": lambda keyed: keyed.consume("bad"),
    "update": lambda keyed: keyed.update("bad", lambda held: 1),
    "delete_if": lambda keyed: keyed.delete_if("bad", lambda held: True),
    "observe": lambda keyed: keyed.observe("bad"),
}


# KV-3, KV-4
@pytest.mark.parametrize("verb", RAISING.values(), ids=RAISING)
def test_who_reads_it_is_told_once_and_then_the_key_is_free(
    store: Store, keyed: Keyed, address: str, verb: Callable[[Keyed], object]
) -> None:
    damage(store)

    with pytest.raises(StoreCorrupt) as told:
        verb(keyed)

    assert told.value.path == address
    assert told.value.operation in ("lookup", "consume")
    assert "slack/threads 'bad'" in str(told.value)
    assert keyed.lookup("bad", "free") == "free"
    assert keyed.register_if_absent("bad", "new")
    (aside,) = store.quarantined()
    assert "slack/threads 'bad'" in aside.place
    assert aside.why
    assert ask(address, "select value from fp_quarantine") == [(b"{",)]
    counted_right(address)


# KV-3, KV-6
@pytest.mark.parametrize("value", [*DAMAGE, b"\xff\xfe", b'"\xed\xa0\x80"'], ids=range(10))
def test_a_listing_sets_it_aside_and_goes_on(
    store: Store, keyed: Keyed, address: str, value: str | bytes
) -> None:
    damage(store, value)

    assert [entry.key for entry in keyed.entries()] == ["a", "c"]
    assert len(store.quarantined()) == 1
    assert [entry.key for entry in keyed.range()] == ["a", "c"]
    assert keyed.count() == 2
    counted_right(address)


# KV-25
def test_of_many_keys_the_damaged_one_has_its_error_in_its_place(
    store: Store, keyed: Keyed
) -> None:
    damage(store)

    first, bad, missing = keyed.lookup_many(["a", "bad", "x"])

    assert (first, missing) == ("a", None)
    assert isinstance(bad, StoreCorrupt)
    assert keyed.lookup_many(["bad", "c"]) == [None, "c"]


def test_a_damaged_key_is_set_aside_too(store: Store, keyed: Keyed, address: str) -> None:
    connection(store).execute("update fp_entry set key = cast(x'ff' as text) where key = 'bad'")

    assert [entry.key for entry in keyed.entries()] == ["a", "c"]
    assert "\\xff" in store.quarantined()[0].place
    counted_right(address)


def test_it_can_be_deleted_overwritten_evicted_and_cleared_unread(
    store: Store, keyed: Keyed, address: str
) -> None:
    damage(store)
    keyed.register("bad", "new")
    assert keyed.lookup("bad") == "new"
    damage(store)
    assert keyed.delete("bad")
    keyed.register("bad", 1)
    damage(store)
    assert keyed.clear() == 3
    assert store.quarantined() == []
    counted_right(address)


# KV-32
def test_a_bulk_delete_goes_past_it(store: Store, keyed: Keyed, address: str) -> None:
    seen = [keyed.observe(key) for key in ("a", "bad", "c")]
    damage(store)

    assert keyed.delete_observed(seen) == [True, False, True]
    assert len(store.quarantined()) == 1
    counted_right(address)


def test_an_error_that_ends_the_transaction_around_it_leaves_it_for_the_next(
    store: Store, keyed: Keyed
) -> None:
    damage(store)
    for _ in range(2):
        with pytest.raises(StoreCorrupt), store.transaction():
            keyed.lookup("bad")

    assert store.quarantined() == []
    with pytest.raises(StoreCorrupt):
        keyed.lookup("bad")
    assert len(store.quarantined()) == 1


def test_it_is_told_even_when_it_cannot_be_set_aside(disk: Disk, address: str) -> None:
    from fencepost import connect

    with connect(address) as store:
        keyed = store.keyed("slack", "threads")
        for key in ("a", "bad"):
            keyed.register(key, key)
        damage(store)
        disk.inject("write", 1, "EIO", of="-wal", for_ever=True)

        with pytest.raises(StoreCorrupt):
            keyed.lookup("bad")
        assert [entry.key for entry in keyed.entries()] == ["a"]

        disk.heal()
        with pytest.raises(StoreCorrupt):
            keyed.lookup("bad")
        assert len(store.quarantined()) == 1


def test_what_was_repaired_meanwhile_is_not_set_aside(
    store: Store, keyed: Keyed, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process registers the key anew between the read and the setting aside."""
    from fencepost.store.sqlite.keyed import quarantine

    damage(store)
    genuine = quarantine.set_aside

    def late(write: object, space: object, damaged: object) -> None:
        keyed.register("bad", "new")
        genuine(write, space, damaged)  # type: ignore[arg-type]

    monkeypatch.setattr(quarantine, "set_aside", late)
    with pytest.raises(StoreCorrupt):
        keyed.lookup("bad")

    assert keyed.lookup("bad") == "new"
    assert store.quarantined() == []
    assert isinstance(keyed.entries()[-1], Entry)
    counted_right(address)


# KV-4
def test_a_reader_with_little_stack_left_damages_nothing(store: Store, keyed: Keyed) -> None:
    value: object = "[" * 100
    for _ in range(60):
        value = [value]
    keyed.register("c", value)
    failed = 0

    def deep(frames: int) -> object:
        return deep(frames - 1) if frames else keyed.lookup("c")

    for frames in range(0, sys.getrecursionlimit(), 5):
        try:
            assert deep(frames) == value
        except RecursionError:
            failed += 1

    assert failed
    assert store.quarantined() == []
    assert keyed.lookup("c") == value
