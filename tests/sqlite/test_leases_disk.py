"""Leases and claims of keys on a disk that fails: nothing half done, and a repeat is certain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fencepost import OutcomeUnknown, Store, StoreFull, connect
from fencepost.stress.sqlite.disk.disk import Disk

from ..clock import FakeClock


@pytest.fixture
def store(disk: Disk, address: str, clock: FakeClock) -> Iterator[Store]:
    with connect(address, clock=clock) as opened:
        yield opened


def _fail_commit(disk: Disk) -> None:
    disk.inject("sync", 1, "EIO", of="-wal")


def test_a_lease_of_unknown_outcome_is_asked_for_again_by_its_token(
    disk: Disk, store: Store
) -> None:
    _fail_commit(disk)

    lease = store.leases.acquire("deploy")

    assert disk.met == 1
    lease.renew()
    lease.release()


def test_a_lease_whose_outcome_stays_unknown_is_not_said_to_be_unchanged(
    disk: Disk, store: Store, clock: FakeClock
) -> None:
    disk.inject("sync", 1, "EIO", of="-wal", for_ever=True)
    with pytest.raises(OutcomeUnknown):
        store.leases.acquire("deploy", ttl=30)
    disk.heal()

    clock.advance(30)
    store.leases.acquire("deploy").renew()


def test_a_claim_of_a_key_of_unknown_outcome_is_asked_for_again_by_its_token(
    disk: Disk, store: Store
) -> None:
    _fail_commit(disk)

    found = store.once("n", "k", aliases=["k2"])

    assert (disk.met, found.claimed, found.displaced) == (1, True, None)
    found.complete({"n": 1})
    assert store.once("n", "k2").result == {"n": 1}


@pytest.mark.parametrize("verb", ["renew", "release", "complete", "free"])
def test_every_other_verb_repeated_gets_its_answer(disk: Disk, store: Store, verb: str) -> None:
    lease = store.leases.acquire("deploy")
    found = store.once("n", "k")
    calls: dict[str, list[Callable[[], object]]] = {
        "renew": [lease.renew, found.renew],
        "release": [lease.release, found.release],
        "complete": [lambda: found.complete(1)],
        "free": [lambda: store.leases.free("deploy")],
    }

    for call in calls[verb]:
        _fail_commit(disk)
        with pytest.raises(OutcomeUnknown):
            call()
        call()

    assert (store.leases.get("deploy") is None) == (verb in ("release", "free"))
    assert store.once("n", "k").claimed == (verb == "release")


def test_a_function_whose_completion_is_of_unknown_outcome_runs_once(
    disk: Disk, store: Store
) -> None:
    runs = []

    @store.idempotent("n", key=lambda: "k")
    def work() -> int:
        runs.append(1)
        _fail_commit(disk)
        return len(runs)

    assert work() == 1
    assert disk.met == 1
    assert work() == 1
    assert runs == [1]


def test_on_a_full_disk_nothing_is_leased_or_claimed(disk: Disk, store: Store) -> None:
    held = store.leases.acquire("held")
    disk.inject("write", 1, "ENOSPC", of="-wal", for_ever=True)
    for call in (
        lambda: store.leases.acquire("deploy"),
        lambda: store.once("n", "k"),
        held.renew,
        lambda: store.leases.hold("deploy").__enter__(),
    ):
        with pytest.raises((StoreFull, OutcomeUnknown)):
            call()
    disk.heal()

    assert [lease.name for lease in store.leases.list()] == ["held"]
    held.renew()
    assert store.leases.acquire("deploy").displaced is None
    assert store.once("n", "k").claimed
