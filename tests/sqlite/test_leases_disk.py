"""Leases on a disk that fails: nothing half done, and a repeat is certain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import apsw
import pytest

from fencepost import OutcomeUnknown, Store, StoreFull, connect

from ..clock import FakeClock
from .disk import Disk, faulty_disk


@pytest.fixture
def disk() -> Iterator[Disk]:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture
def store(disk: Disk, address: str, clock: FakeClock) -> Iterator[Store]:
    with connect(address, clock=clock) as opened:
        yield opened


def _fail_commit(disk: Disk) -> None:
    disk.fail_once(apsw.IOError("the disk failed"), "sync", "-wal")


def test_a_lease_of_unknown_outcome_is_asked_for_again_by_its_token(
    disk: Disk, store: Store
) -> None:
    _fail_commit(disk)

    lease = store.leases.acquire("deploy")

    assert disk.faults == 1
    lease.renew()
    lease.release()


@pytest.mark.parametrize("verb", ["renew", "release", "free"])
def test_every_other_verb_repeated_gets_its_answer(disk: Disk, store: Store, verb: str) -> None:
    lease = store.leases.acquire("deploy")
    calls: dict[str, list[Callable[[], object]]] = {
        "renew": [lease.renew],
        "release": [lease.release],
        "free": [lambda: store.leases.free("deploy")],
    }

    for call in calls[verb]:
        _fail_commit(disk)
        with pytest.raises(OutcomeUnknown):
            call()
        call()

    assert (store.leases.get("deploy") is None) == (verb in ("release", "free"))


def test_on_a_full_disk_nothing_is_leased(disk: Disk, store: Store) -> None:
    held = store.leases.acquire("held")
    disk.fail(apsw.FullError, "write", "-wal")
    for call in (
        lambda: store.leases.acquire("deploy"),
        held.renew,
        lambda: store.leases.hold("deploy").__enter__(),
    ):
        with pytest.raises((StoreFull, OutcomeUnknown)):
            call()
    disk.heal()

    assert [lease.name for lease in store.leases.list()] == ["held"]
    held.renew()
    assert store.leases.acquire("deploy").displaced is None
