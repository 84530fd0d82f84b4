"""How many workers a pool follows: the store's number, or its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, StoreBusy, connect
from fencepost.workers.supervisor.scaling import sizing
from fencepost.workers.supervisor.scaling.autoscale import Autoscaler
from fencepost.workers.supervisor.scaling.sizing import Sizing

from ..clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store on it, which is looked at every time."""
    monkeypatch.setattr(sizing, "_LOOK_SECONDS", 0.0)
    with connect(tmp_path / "store.db", clock=clock) as opened:
        yield opened


def _size(found: Sizing) -> int:
    found.look()
    return found.size


def test_what_the_store_says_goes_before_what_the_pool_was_started_with(store: Store) -> None:
    found = Sizing(store, 4, None, ["mail"])
    assert _size(found) == 4
    store.scale(9)
    assert _size(found) == 9
    found.change(-1)
    assert _size(found) == 8
    assert _size(Sizing(store, 4, None, ["mail"])) == 8
    store.scale(None)
    assert _size(found) == 4


def test_a_store_that_does_not_answer_leaves_the_size_as_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Sizing(store, 4, None, ["mail"])
    store.scale(9)
    found.look()

    def busy() -> int:
        raise StoreBusy(operation="read", path="store.db", waited=1.0)

    monkeypatch.setattr(store.engine.pools, "scale", busy)
    assert _size(found) == 9


def test_only_work_that_could_be_taken_brings_more_workers(store: Store, clock: FakeClock) -> None:
    def grown() -> bool:
        return _size(Sizing(store, 2, Autoscaler(2, 8), ["mail"])) > 2

    store.queue("other").enqueue(b"")
    queue = store.queue("mail")
    clock.advance(10)
    assert not grown()
    queue.enqueue_many({"body": b""} for _ in range(3))
    clock.advance(10)
    assert grown()
    store.pause("mail")
    assert not grown()
    store.resume("mail")
    assert grown()
    store.queue("mail", max_leased=1).claim(lease=60)
    assert not grown()


def test_two_signals_at_once_count_as_two(store: Store) -> None:
    found = Sizing(store, 3, None, ["mail"])

    found.change(-1)
    found.change(-1)

    assert (found.size, store.engine.pools.scale()) == (1, 1)


def test_what_waits_behind_another_of_its_lane_brings_no_workers(
    store: Store, clock: FakeClock
) -> None:
    queue = store.queue("mail")
    for _ in range(2):
        queue.enqueue(b"", lane="one")
    (head,) = queue.claim(lease=600)
    clock.advance(60)
    assert _size(Sizing(store, 2, Autoscaler(2, 8), ["mail"])) == 2

    head.ack()

    assert _size(Sizing(store, 2, Autoscaler(2, 8), ["mail"])) > 2


def test_what_has_come_to_its_time_brings_workers_though_nobody_has_claimed_since(
    store: Store, clock: FakeClock
) -> None:
    store.queue("mail").enqueue(b"", delay=5)
    assert _size(Sizing(store, 0, Autoscaler(0, 8), ["mail"])) == 0

    clock.advance(60)

    assert _size(Sizing(store, 0, Autoscaler(0, 8), ["mail"])) > 0
