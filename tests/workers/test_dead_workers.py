"""What a supervisor tells the store of workers that have ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fencepost import Store, connect
from fencepost.store.types.delivery import Delivery
from fencepost.workers.process.managed_process import End
from fencepost.workers.process.shared_page import Work
from fencepost.workers.supervisor.watching.dead_workers import DeadWorkers


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store that does not wait long, with one delivery."""
    with connect(tmp_path / "store.db", busy_timeout=0.05) as store:
        store.queue("q").enqueue(b"", key="k")
        yield store


def _dead(tmp_path: Path) -> Any:
    """Return a worker that has claimed the delivery and is gone, as its supervisor sees it."""
    with connect(tmp_path / "store.db") as own:
        pools = own.engine.pools
        worker = pools.register(pools.begin(["q"], 1))
        own.engine.queue.claim(["q"], limit=1, lease_ms=30_000, owner=worker)
    # Closed, and so lost.
    return SimpleNamespace(worker=worker, killed_for="", overdue=0)


def _end(number: int, *, claims: int, by_supervisor: bool = False) -> End:
    return End("it ended", number, 0, by_supervisor, Work(claims, delivery=claims))


def _delivery(store: Store) -> Delivery:
    delivery = store.delivery(1)
    assert delivery is not None
    return delivery


def test_a_kill_after_the_handler_has_returned_is_not_held_against_the_delivery(
    store: Store, tmp_path: Path
) -> None:
    DeadWorkers(store.engine, None).take(_dead(tmp_path), _end(signal.SIGKILL, claims=0), None)

    assert (_delivery(store).state, _delivery(store).crashes) == ("ready", 0)


def test_a_crash_that_the_store_could_not_be_told_counts_once_it_can(
    store: Store, tmp_path: Path
) -> None:
    dead_workers, dead = DeadWorkers(store.engine, None), _dead(tmp_path)
    with connect(tmp_path / "store.db") as other, other.transaction():
        dead_workers.take(dead, _end(signal.SIGSEGV, claims=1), None)
    assert _delivery(store).state == "leased"

    dead_workers.due = 0.0
    dead_workers.look()

    assert (_delivery(store).state, _delivery(store).crashes) == ("ready", 1)
    assert _delivery(store).error == "it ended"


def test_a_worker_of_another_pool_that_lives_is_that_ones_to_mourn(
    store: Store, tmp_path: Path
) -> None:
    other = store.engine.pools.begin(["q"], 1)
    with connect(tmp_path / "store.db") as gone:
        gone.engine.pools.register(other)

    DeadWorkers(store.engine, None).look()
    assert [each.state for each in store.workers()] == ["lost"]

    DeadWorkers(store.engine, other).look(known=[store.workers()[0].id])
    assert [each.state for each in store.workers()] == ["lost"]

    DeadWorkers(store.engine, other).look()
    assert store.workers() == []


# PREFETCH-6
def test_a_worker_that_ends_before_its_first_word_is_read_is_left_to_be_collected(
    store: Store, tmp_path: Path
) -> None:
    dead_workers = DeadWorkers(store.engine, pool := store.engine.pools.begin(["q"], 1))
    with connect(tmp_path / "store.db") as gone:
        gone.engine.pools.register(pool)

    dead_workers.look(unheard=[os.getpid()])
    assert [each.state for each in store.workers()] == ["lost"]

    dead_workers.due = 0.0
    dead_workers.look(unheard=[os.getpid() + 1])
    assert store.workers() == []


def test_while_the_store_cannot_be_used_each_end_costs_no_wait(
    store: Store, tmp_path: Path
) -> None:
    dead_workers, asked = DeadWorkers(store.engine, None), []
    dead = [_dead(tmp_path), _dead(tmp_path), _dead(tmp_path)]
    retire = store.engine.pools.retire

    def counted(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        return retire(*arguments, **options)

    store.engine.pools.retire = counted  # type: ignore[method-assign]
    with connect(tmp_path / "store.db") as other, other.transaction():
        for each in dead:
            dead_workers.take(each, _end(signal.SIGSEGV, claims=1), None)
        dead_workers.due = 0.0
        dead_workers.look()
    assert len(asked) == 2

    dead_workers.due = 0.0
    dead_workers.look()

    assert store.workers() == []


def test_of_kills_that_are_seen_at_once_none_counts_as_the_same_again(
    store: Store, tmp_path: Path
) -> None:
    dead_workers = DeadWorkers(store.engine, None)

    def killed(*others: int, by_supervisor: bool = False) -> int:
        ends = [_end(signal.SIGKILL, claims=1)]
        ends += [_end(signal.SIGKILL, claims=each, by_supervisor=by_supervisor) for each in others]
        dead_workers.together(ends)
        dead_workers.take(_dead(tmp_path), ends[0], None)
        return _delivery(store).crashes

    assert [killed(), killed(2), killed(2, by_supervisor=True)] == [1, 1, 2]
