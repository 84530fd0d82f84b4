"""Keyed state when a process dies, the disk is full, a COMMIT fails, or much has expired."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fencepost import ImportFailed, Keyed, OutcomeUnknown, Store, StoreBusy, StoreFull, connect
from fencepost.store.sqlite.keyed.namespaces import sweep
from fencepost.store.sqlite.session.session import Session
from fencepost.stress.sqlite.disk.disk import Disk
from fencepost.stress.sqlite.disk.errors import Kind

from ..clock import FakeClock
from ..processes import line_of, running
from .counting import counted_right
from .holder import holder
from .inside import ask, session, traced

_WORK = """
import itertools, sys
from fencepost import connect
store = connect(sys.argv[1])
keyed = store.keyed("a", "x", max_entries=20, owner_max_entries=25)
other = store.keyed("a", "y", overflow="reject")
for n in itertools.count(int(sys.argv[2])):
    keyed.register(f"{n}", n, ttl=0.002 if n % 2 else None)
    keyed.register_many([(f"{n % 7}", n), (f"{n % 11}", n)])
    other.update("n", lambda held: n)
    print(n, flush=True)
    keyed.consume(f"{n - 3}")
    if n % 17 == 0:
        keyed.clear()
"""


@pytest.fixture
def store(disk: Disk, address: str, clock: FakeClock) -> Iterator[Store]:
    with connect(address, clock=clock) as opened:
        opened.keyed("a", "x").register("first", 1)
        yield opened


@pytest.fixture
def keyed(store: Store) -> Keyed:
    return store.keyed("a", "x")


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_process_leaves_what_it_said_and_right_counts(tmp_path: Path, seed: int) -> None:
    path, chance, last = tmp_path / "store.db", random.Random(seed), 0

    for _ in range(4):
        with running(["-c", _WORK, str(path), f"{last + 1}"], cwd=tmp_path) as process:
            said = [line_of(process) for _ in range(chance.randint(1, 60))]
            process.kill()
            assert process.stdout is not None
            said += [line.strip() for line in process.stdout if line.endswith("\n")]
        last = int(said[-1])
        counted_right(path)
        assert ask(path, "select count(*) <= 20 from fp_entry where namespace = 1") == [(1,)]
        with connect(path) as store:
            assert store.keyed("a", "y").lookup("n") in (last, last + 1)

    assert (tmp_path / "stderr").read_text() == ""
    assert ask(path, "pragma integrity_check") == [("ok",)]


VERBS: dict[str, Callable[[Keyed], object]] = {
    "register": lambda keyed: keyed.register("k", 1),
    "register_if_absent": lambda keyed: keyed.register_if_absent("k", 1),
    "consume": lambda keyed: keyed.consume("first"),
    "delete": lambda keyed: keyed.delete("first"),
    "update": lambda keyed: keyed.update("k", lambda held: 1),
    "clear": lambda keyed: keyed.clear(),
    "move_from": lambda keyed: keyed.move_from("x"),
    "compare_and_set": lambda keyed: keyed.compare_and_set("k", keyed.observe("k").token, 1),
}


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("action", ["sync", "write"])
def test_a_verb_of_unknown_outcome_can_be_called_again(
    disk: Disk, store: Store, address: str, name: str, action: Kind
) -> None:
    keyed = store.keyed("a", "y" if name == "move_from" else "x")
    disk.inject(action, 1, "EIO", of="-wal")
    with pytest.raises(OutcomeUnknown) as caught:
        VERBS[name](keyed)

    VERBS[name](keyed)

    assert caught.value.operation == name
    counted_right(address)
    held = {name: keyed.lookup(name) for name in ("k", "first")}
    assert held["first"] == (1 if name not in ("consume", "delete", "clear") else None)
    assert held["k"] == (1 if "set" in name or "up" in name or "reg" in name else None)


def test_a_full_disk_stops_an_import_at_what_is_committed(
    disk: Disk, store: Store, keyed: Keyed, address: str
) -> None:
    keyed.register_many((f"{n:05}", n) for n in range(500))
    disk.inject("write", 1, "ENOSPC", of="-wal", for_ever=True)

    with pytest.raises(ImportFailed) as caught:
        keyed.register_many((f"{n:05}", "x" * 1000) for n in range(2000))
    assert isinstance(caught.value.__cause__, StoreFull | OutcomeUnknown)

    disk.heal()
    assert caught.value.committed == 0
    assert keyed.count() == 501
    counted_right(address)
    assert keyed.register_many((f"{n:05}", 0) for n in range(2000)) == 2000


def test_behind_a_process_that_holds_the_lock_a_verb_is_busy_and_reading_goes_on(
    address: str,
) -> None:
    with connect(address, busy_timeout=0.05) as store:
        keyed = store.keyed("a", "x")
        keyed.register("k", 1)
        with holder(address):
            for call in (lambda: keyed.register("k", 2), lambda: keyed.consume("k")):
                with pytest.raises(StoreBusy):
                    call()
            assert keyed.lookup("k") == 1
            assert [entry.value for entry in keyed.entries()] == [1]
            # The same options again are no write.
            assert store.keyed("a", "x", max_entries=None).count() == 1


# KV-7
def test_a_sweep_takes_a_bounded_number_of_expired_rows_of_all_namespaces(
    store: Store, address: str, clock: FakeClock
) -> None:
    for name in ("x", "y", "z"):
        store.keyed("a", name).register_many(((f"{n}", n) for n in range(700)), ttl=5)
    store.keyed("b", "x").register("k", 1, ttl=50)
    clock.advance(5)

    swept = []
    for _ in range(4):
        with session(store).write("sweep") as write:
            swept.append(sweep(write, 1000))
        counted_right(address)

    assert swept == [1000, 1000, 100, 0]
    assert store.keyed("a", "x").lookup("first") == 1
    assert [space.rows for space in store.namespaces()] == [1, 0, 0, 1]


# KV-7
def test_clear_goes_by_transactions_of_1024_rows(store: Store, keyed: Keyed) -> None:
    keyed.register_many((f"{n}", n) for n in range(2500))

    with traced(store) as statements:
        assert keyed.clear() == 2501

    assert statements.count("begin immediate") == statements.count("commit") == 3


# KV-7
def test_clear_leaves_what_others_write_meanwhile(
    store: Store, keyed: Keyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fencepost.store.sqlite.keyed import entries

    keyed.register_many((f"{n}", n) for n in range(2000))
    genuine = entries.last_id

    def and_then(session: Session) -> int:
        last = genuine(session)
        for n in range(600):
            keyed.register(f"0 new {n}", n)
        return last

    monkeypatch.setattr(entries, "last_id", and_then)

    assert keyed.clear() == 2001
    assert keyed.count() == 600


def test_a_lookup_and_a_late_claim_write_nothing(store: Store, keyed: Keyed, address: str) -> None:
    with traced(store) as statements:
        keyed.lookup("first")
        keyed.entries()
        keyed.count()
        keyed.capacity()
    assert not [sql for sql in statements if not sql.startswith("select")]

    with traced(store) as statements:
        assert not keyed.register_if_absent("first", 2)
    assert not [sql for sql in statements if sql.split()[0] in ("insert", "update")]


def test_a_consume_of_unknown_outcome_is_not_answered_with_nothing(
    disk: Disk, store: Store
) -> None:
    keyed = store.keyed("a", "x")
    disk.inject("sync", 1, "ENOSPC", of="-wal", for_ever=True)

    with pytest.raises(OutcomeUnknown):
        keyed.consume("first")
