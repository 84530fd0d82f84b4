"""A closed store says so, and is not closed in the middle of something."""

from __future__ import annotations

import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from fencepost import InvalidInput, Queue, Store, connect

from ..processes import wait_until
from .inside import session


def test_a_thread_that_waited_while_the_store_was_closed_is_told(address: str) -> None:
    store = connect(address)

    def is_waiting() -> bool:
        stacks = [traceback.extract_stack(frame) for frame in sys._current_frames().values()]
        return any((stack[-1].line or "").startswith("taken.extend(map(") for stack in stacks)

    with ThreadPoolExecutor(1) as pool:
        with session(store)._database.mutex:
            waiting = pool.submit(store.queue("mail").enqueue, b"late")
            wait_until(is_waiting, "the thread waits for its turn")
            store.close()

        with pytest.raises(InvalidInput, match="is closed"):
            waiting.result(timeout=60)


def test_a_closed_store_says_so_to_every_caller(address: str) -> None:
    store = connect(address)
    store.close()
    store.close()

    for call in (store.stats, store.engine.wakeup.clear, store.transaction().__enter__):
        with pytest.raises(InvalidInput, match="is closed"):
            call()


def test_a_store_is_not_closed_within_its_own_transaction(store: Store, queue: Queue) -> None:
    with store.transaction(), pytest.raises(InvalidInput, match="within a transaction"):
        store.close()

    assert queue.enqueue(b"still open").status == "accepted"
