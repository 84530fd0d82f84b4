"""Threads that meet: each race is forced, and shown to have met before anything is asked.

The one that comes second has an opening that gives up at once, so that it is refused, or done,
while the first is still at it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from fencepost import Store, StoreBusy

from ..kits import Kit


@pytest.fixture
def other(kit: Kit, store: Store) -> Iterator[Store]:
    """The same store, as another thread has it open."""
    with kit.open(busy_timeout=0.02) as opened:
        yield opened


def _meanwhile(call: Callable[[], object]) -> bool:
    """Call in another thread until it ends; False when the store was busy."""
    done = []

    def run() -> None:
        try:
            call()
        except StoreBusy:
            done.append(False)
        else:
            done.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (answer,) = done
    return answer


def test_an_update_that_meets_another_is_not_lost(store: Store, other: Store) -> None:
    mine, theirs = store.keyed("a", "x"), other.keyed("a", "x")
    met = []

    def change(count: int) -> int:
        met.append(_meanwhile(lambda: theirs.update("k", lambda n: n + 1, default=0)))
        return count + 1

    mine.update("k", change, default=0)

    assert len(met) == 1
    assert mine.lookup("k") == 1 + met[0]


@pytest.mark.parametrize("verb", ["delete_if", "compare_and_set"])
def test_what_is_compared_does_not_change_before_it_is_done(
    store: Store, other: Store, verb: str
) -> None:
    mine, theirs = store.keyed("a", "x"), other.keyed("a", "x")
    mine.register("k", 1)
    token = theirs.observe("k").token
    met = []

    def is_one(value: int) -> bool:
        if verb == "delete_if":
            met.append(_meanwhile(lambda: theirs.register("k", 2)))
        else:
            met.append(_meanwhile(lambda: theirs.compare_and_set("k", token, 2)))
        return value == 1

    assert mine.delete_if("k", is_one)

    assert len(met) == 1
    assert mine.lookup("k") == (2 if met[0] else None)


def test_what_was_acknowledged_during_a_transaction_is_not_lost(store: Store, other: Store) -> None:
    with store.transaction():
        store.queue("mail").enqueue(b"mine", key="mine")
        done = _meanwhile(lambda: other.queue("mail").enqueue(b"theirs", key="theirs"))

    keys = [row.key for row in store.deliveries()]
    assert keys == (["theirs", "mine"] if done else ["mine"])


def test_what_is_written_in_a_transaction_is_seen_by_nobody_before_its_commit(
    store: Store, other: Store
) -> None:
    seen = []

    with store.transaction():
        store.queue("mail").enqueue(b"mine")
        assert _meanwhile(lambda: seen.append(other.queue("mail").stats().ready))

    assert seen == [0]
    assert other.queue("mail").stats().ready == 1


def test_a_delivery_goes_to_one_of_many_threads(kit: Kit, store: Store) -> None:
    store.queue("mail").enqueue_many([{"body": b"%d" % n} for n in range(60)])
    begin = threading.Barrier(6)
    claims: list[tuple[int, int]] = []

    def work() -> None:
        with kit.open() as mine:
            begin.wait()
            while found := mine.queue("mail").claim(limit=2):
                claims.extend((claim.id, claim.fence) for claim in found)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(id for id, _ in claims) == sorted(row.id for row in store.deliveries(limit=100))
    assert len({fence for _, fence in claims}) == 60
