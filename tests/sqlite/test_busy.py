"""The write lock is not to be had: StoreBusy in the time that was said, and nothing changed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fencepost import Store, StoreBusy, connect

from .holder import foreign_writer, holder
from .inside import held_gate

PATIENCE = 0.2


@pytest.fixture
def hasty(address: str, store: Store) -> Iterator[Store]:
    """A second opening of the store that does not wait for long."""
    with connect(address, busy_timeout=PATIENCE) as opened:
        yield opened


def _is_busy(store: Store) -> StoreBusy:
    started = time.monotonic()
    with pytest.raises(StoreBusy) as caught:
        store.queue("mail").enqueue(b"refused")
    assert PATIENCE * 0.9 <= caught.value.waited <= time.monotonic() - started < PATIENCE * 50
    assert (caught.value.operation, caught.value.path) == ("enqueue", store.engine.identity.address)
    return caught.value


# CONN-1
def test_a_held_gate_is_busy_in_time_and_nothing_is_stored(address: str, hasty: Store) -> None:
    with held_gate(address):
        _is_busy(hasty)

    assert hasty.stats() == {}
    assert hasty.queue("mail").enqueue(b"next").message_id == 1


# CONN-1
def test_a_foreign_writer_is_busy_in_time_and_nothing_is_stored(address: str, hasty: Store) -> None:
    with foreign_writer(address):
        _is_busy(hasty)

    assert hasty.stats() == {}
    assert hasty.queue("mail").enqueue(b"next").message_id == 1


# P20
def test_a_stopped_holder_is_busy_in_time_and_its_death_frees_the_lock(
    address: str, hasty: Store
) -> None:
    with holder(address) as process:
        os.kill(process.pid, signal.SIGSTOP)

        _is_busy(hasty)
        process.kill()
        process.wait()

        assert hasty.queue("mail").enqueue(b"next").message_id == 1
        assert [delivery.id for delivery in hasty.deliveries()] == [1]


def test_readers_do_not_wait_for_a_stopped_holder(address: str, hasty: Store) -> None:
    hasty.queue("mail").enqueue(b"before")
    with holder(address) as process:
        os.kill(process.pid, signal.SIGSTOP)

        assert hasty.stats()["mail"].ready == 1


def test_a_thread_that_waits_too_long_for_another_is_busy(hasty: Store) -> None:
    with ThreadPoolExecutor(1) as pool, hasty.transaction():
        pool.submit(_is_busy, hasty).result(timeout=60)
