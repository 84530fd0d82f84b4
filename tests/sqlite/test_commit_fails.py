"""A COMMIT that raises: the outcome is unknown, the store goes on, and a repeat is certain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import apsw
import pytest
from msgspec.structs import replace

from fencepost import FencepostError, OutcomeUnknown, Queue, Store, StoreFailed, connect
from fencepost.store.types.messages.draft import Address, Draft
from fencepost.stress.sqlite.disk.disk import Disk
from fencepost.stress.sqlite.disk.errors import CHANGES, Kind

from ..clock import FakeClock
from .inside import ask, gate_is_free


@pytest.fixture
def store(disk: Disk, address: str, clock: FakeClock) -> Iterator[Store]:
    with connect(address, clock=clock) as opened:
        opened.queue("mail").enqueue(b"first", key="first")
        yield opened


def _fail_commit(disk: Disk, action: Kind = "sync") -> None:
    disk.inject(action, 1, "EIO", of="-wal")


# CONN-9, KV-12
@pytest.mark.parametrize("action", ["sync", "write"])
def test_the_outcome_is_unknown_and_the_same_key_makes_one_row(
    disk: Disk, store: Store, queue: Queue, address: str, action: Kind
) -> None:
    _fail_commit(disk, action)
    with pytest.raises(OutcomeUnknown) as caught:
        queue.enqueue(b"hello", key="k")

    receipt = queue.enqueue(b"hello", key="k")

    assert (caught.value.operation, caught.value.path) == ("enqueue", address)
    assert receipt.status in ("accepted", "duplicate")
    assert ask(address, "select count(*) from fp_message where key = 'k'") == [(1,)]
    assert ask(address, "select count(*) from fp_delivery") == [(2,)]


# COMMIT-2, EVENT-8
def test_the_same_ack_repeated_gets_its_answer(disk: Disk, store: Store, queue: Queue) -> None:
    (claim,) = queue.claim()
    _fail_commit(disk)
    with pytest.raises(OutcomeUnknown):
        claim.ack({"n": 1})

    claim.ack({"n": 1})
    claim.ack({"n": 1})

    assert queue.enqueue(b"first", key="first").result == {"n": 1}


# CONN-9
@pytest.mark.parametrize("ending", ["retry", "release", "bury", "renew"])
def test_every_other_verb_repeated_gets_its_answer(
    disk: Disk, store: Store, queue: Queue, ending: str
) -> None:
    (claim,) = queue.claim()
    calls: dict[str, Callable[[], object]] = {
        "retry": lambda: claim.retry(delay=5),
        "release": claim.release,
        "bury": lambda: claim.bury("why"),
        "renew": lambda: claim.renew(60),
    }
    _fail_commit(disk)
    with pytest.raises(OutcomeUnknown):
        calls[ending]()

    calls[ending]()

    assert store.delivery(claim.id) is not None


# REDELIVER-9
def test_a_redelivery_of_unknown_outcome_helps_when_it_is_repeated(
    disk: Disk, store: Store, address: str
) -> None:
    addresses = [Address("deploy"), Address("log")]
    draft = Draft("s", "s", "k", "push", {}, b"body", addresses, redelivery="revive")
    lost = replace(draft, key="unrouted", addresses=())
    store.engine.queue.enqueue([draft, lost])
    for queue in ("deploy", "log"):
        store.queue(queue).claim()[0].bury("no")
    for again, deliveries in ((draft, 2), (replace(draft, key="unrouted"), 4)):
        _fail_commit(disk)
        with pytest.raises(OutcomeUnknown):
            store.engine.queue.enqueue([again])

        (receipt,) = store.engine.queue.enqueue([again])

        assert receipt.state == "ready"
        assert len(store.deliveries(state="ready", limit=9)) == deliveries + 1  # with the first
    assert store.unrouted() == []


# CLAIM-14
def test_a_claim_of_unknown_outcome_is_claimed_after_its_lease_with_a_new_fence(
    disk: Disk, store: Store, queue: Queue, clock: FakeClock
) -> None:
    _fail_commit(disk)
    with pytest.raises(OutcomeUnknown):
        queue.claim(lease=30)

    clock.advance(31)
    (claim,) = queue.claim(lease=30)

    claim.ack()
    assert queue.claim() == []


def test_the_gate_is_left_and_others_go_on(disk: Disk, store: Store, address: str) -> None:
    _fail_commit(disk)
    with pytest.raises(OutcomeUnknown):
        store.queue("mail").enqueue(b"hello")

    assert gate_is_free(address)
    with connect(address) as other:
        assert other.queue("mail").enqueue(b"hello").status == "accepted"


# KV-12
def test_a_disk_that_goes_on_failing_gives_typed_errors_until_it_is_well(
    disk: Disk, store: Store, queue: Queue, address: str
) -> None:
    disk.inject(CHANGES, 1, "EIO", for_ever=True)
    for _ in range(3):
        with pytest.raises(FencepostError) as caught:
            queue.enqueue(b"hello", key="k")
        assert isinstance(caught.value, OutcomeUnknown | StoreFailed)
    disk.heal()

    assert queue.enqueue(b"hello", key="k").status in ("accepted", "duplicate")
    assert ask(address, "select count(*) from fp_message where key = 'k'") == [(1,)]


# TXN-3, KV-14
def test_a_store_that_cannot_be_opened_anew_after_the_failure_says_so(
    disk: Disk, store: Store, queue: Queue, address: str
) -> None:
    _fail_commit(disk)
    with pytest.raises(OutcomeUnknown):
        queue.enqueue(b"hello", key="k")
    apsw.set_default_vfs("memdb")
    try:
        for call in (store.stats, lambda: queue.enqueue(b"hello", key="k")):
            with pytest.raises(FencepostError):
                call()
    finally:
        apsw.set_default_vfs("unix")

    assert queue.enqueue(b"hello", key="k").status in ("accepted", "duplicate")


def test_a_store_is_closed_whole_whose_last_checkpoint_fails(
    disk: Disk, store: Store, queue: Queue, address: str
) -> None:
    queue.enqueue(b"hello", key="k")
    _fail_commit(disk)

    store.close()

    assert disk.met == 1
    with connect(address) as again:
        assert again.queue("mail").enqueue(b"hello", key="k").status == "duplicate"
