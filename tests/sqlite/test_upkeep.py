"""Upkeep: what has expired goes in short steps, by one process, and a fault is said once."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import threading
from pathlib import Path

import apsw
import pytest

from fencepost import InvalidInput, Queue, Store, connect
from fencepost.store.engine.upkeep import Tick
from fencepost.store.sqlite.upkeep import upkeep

from ..clock import FakeClock
from ..processes import line_of, running
from .inside import ask, connection, held_gate, session, traced

MEGABYTE = 1024 * 1024

_LEADER = """
import sys
from fencepost import connect
store = connect(sys.argv[1])
print(store.engine.upkeep.tick() is not None, flush=True)
sys.stdin.readline()
"""

_READER = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("begin; select count(*) from fp_message").fetchall()
print("reads", flush=True)
sys.stdin.readline()
"""


_MESSAGE = """
insert into fp_message (
  scope, key, event, headers, body_sha256, received_at_ms, keep_ms, expires_at_ms
)
values ('old', :key, '', '{}', x'', 0, 0, :expires)
"""

_DELIVERY = """
insert into fp_delivery (
  message_id, queue, priority, state, retry_for_ms, bytes, tried_since_ms, changed_at_ms
)
values (:message, :queue, 0, :state, 1, 0, 0, 0)
"""


_COUNT = """
insert into fp_queue (name, {state}) values (:queue, 1)
on conflict do update set {state} = {state} + 1
"""


def _store_old(store: Store, count: int, *, state: str = "done", age_ms: int = 1) -> None:
    """Store messages whose retention ended `age_ms` ago, with two deliveries each."""
    with session(store).write("test") as write:
        for n in range(count):
            write.run(_MESSAGE, {"key": f"{state} {n}", "expires": write.now_ms - age_ms})
            message = write.last_id
            for queue in ("a", "b"):
                write.run(_DELIVERY, {"message": message, "queue": queue, "state": state})
                write.run(_COUNT.format(state=state), {"queue": queue})
            if state != "done":
                write.run("insert into fp_body values (?, x'', 0, null)", (message,))


def _rows(address: str) -> tuple[object, object]:
    return (
        ask(address, "select count(*) from fp_message")[0][0],
        ask(address, "select count(*) from fp_delivery")[0][0],
    )


def _wal_size(address: str) -> int:
    return os.stat(f"{address}-wal").st_size


# INPUT-8, RETAIN-2, VACUUM-1, INGRESS-12
def test_what_has_expired_is_removed_and_the_rest_stays(
    store: Store, queue: Queue, address: str
) -> None:
    queue.enqueue(b"kept", key="kept")
    for state in ("done", "dead", "cancelled"):
        _store_old(store, 5, state=state)

    assert store.sweep() == 5 * 3 * 3
    assert store.sweep() == 0

    assert _rows(address) == (1, 1)
    assert ask(address, "pragma foreign_key_check") == []


def test_the_moment_it_expires_is_the_stores_clocks(
    store: Store, address: str, clock: FakeClock
) -> None:
    _store_old(store, 1, age_ms=-1000)

    assert store.sweep() == 0
    clock.advance(0.999)
    assert store.sweep() == 0
    clock.advance(0.001)
    assert store.sweep() == 3


# INPUT-8, RETAIN-3
@pytest.mark.parametrize("state", ["ready", "leased"])
def test_work_that_has_not_ended_is_never_swept(store: Store, address: str, state: str) -> None:
    _store_old(store, 3, state=state)

    assert store.sweep() == 0

    assert _rows(address) == (3, 6)
    with session(store).write("test") as write:
        write.run("update fp_message set expires_at_ms = null")


# COMMIT-10, FP-11
def test_a_sweep_is_many_short_transactions(store: Store, address: str) -> None:
    _store_old(store, 1000)
    changes: list[int] = []

    with traced(store) as statements:
        connection(store).set_update_hook(lambda *_: changes.append(len(statements)))
        assert store.sweep() == 3000
        connection(store).set_update_hook(None)

    commits = [n for n, sql in enumerate(statements) if sql == "commit"]
    per = [
        sum(low < at <= high for at in changes) for low, high in itertools.pairwise([0, *commits])
    ]
    assert max(per) == upkeep.BATCH
    assert sum(per) == 3000


# COMMIT-10
def test_a_sweep_is_no_part_of_a_transaction(store: Store) -> None:
    with pytest.raises(InvalidInput), store.transaction():
        store.sweep()


# GC-6, FP-11
def test_one_round_is_bounded_and_says_how_it_went(store: Store, address: str) -> None:
    _store_old(store, 500)

    outcomes = [store.engine.upkeep.tick() for _ in range(3)]

    assert [(tick.outcome, tick.removed["messages"]) for tick in outcomes if tick] == [
        ("incomplete", 1024),
        ("swept", 476),
        ("nothing to do", 0),
    ]


# GC-4, FP-11
def test_of_many_processes_one_does_it_until_it_dies(tmp_path: Path, address: str) -> None:
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(running(["-c", _LEADER, address], cwd=tmp_path)) for _ in range(3)
        ]
        does = [line_of(process) == "True" for process in processes]
        store = stack.enter_context(connect(address))
        assert sum(does) == 1
        assert store.engine.upkeep.tick() is None

        leader = processes[does.index(True)]
        leader.send_signal(signal.SIGKILL)
        leader.wait()

        assert store.engine.upkeep.tick() is not None


# GC-6
def test_upkeep_gives_way_to_whoever_writes(store: Store, address: str) -> None:
    with held_gate(address):
        tick = store.engine.upkeep.tick()

    assert tick == Tick("failed", {}, ())


def test_a_file_that_was_moved_is_said_once(store: Store, address: str) -> None:
    os.rename(address, f"{address}.elsewhere")

    first, second = store.engine.upkeep.tick(), store.engine.upkeep.tick()

    assert first is not None
    assert second is not None
    assert (first.outcome, second.outcome) == ("failed", "failed")
    assert "moved or replaced" in first.alarms[0]
    assert second.alarms == ()


# WAL-7, WAL-8
def test_a_reader_that_never_ends_stops_no_writer_and_is_named_once(
    tmp_path: Path, address: str
) -> None:
    with (
        connect(address) as store,
        running(["-c", _READER, address], cwd=tmp_path) as reader,
    ):
        assert line_of(reader) == "reads"
        for _ in range(20):
            assert store.queue("mail").enqueue(random.randbytes(MEGABYTE)).status == "accepted"

        ticks = [store.engine.upkeep.tick() for _ in range(4)]
        alarms = [tick.alarms for tick in ticks if tick is not None]
        assert [len(said) for said in alarms] == [0, 1, 0, 0]
        assert f"process {reader.pid} " in alarms[1][0]

        reader.kill()
        reader.wait()
        store.engine.upkeep.tick()
        store.queue("mail").enqueue(b"the WAL begins anew")
        assert _wal_size(address) <= 4 * MEGABYTE


class _Relay:
    """Reads without end: each short read begins before the one before it has ended."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._began = [threading.Semaphore(0) for _ in range(3)]
        self._stop = threading.Event()
        self._batons = [threading.Semaphore(0) for _ in range(3)]
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(3)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        self._batons[0].release()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, n: int) -> None:
        """Begin; let the next begin; end once it has."""
        other = apsw.Connection(self._address)
        other.set_busy_timeout(60_000)
        while not self._stop.is_set():
            if not self._batons[n].acquire(timeout=0.05):
                continue
            other.execute("begin; select count(*) from fp_queue").fetchall()
            self._began[n].release()
            self._batons[(n + 1) % 3].release()
            while not self._stop.is_set() and not self._began[(n + 1) % 3].acquire(timeout=0.05):
                pass
            other.execute("commit")
        other.close()


# WAL-1, P4
def test_readers_that_overlap_without_end_do_not_let_the_wal_grow(address: str) -> None:
    largest = 0
    with connect(address, durability="normal") as store, _Relay(address):
        queue = store.queue("mail")
        for n in range(20_000):
            queue.enqueue(b"")
            if n % 50 == 0:
                largest = max(largest, _wal_size(address))

    assert MEGABYTE < largest < 16 * MEGABYTE
