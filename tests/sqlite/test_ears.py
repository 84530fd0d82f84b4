"""Ears on SQLite: what they cost, and what is left of processes that die."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
from pathlib import Path

import pytest

from fencepost import Ended, OutcomeUnknown, Queue, Store, connect
from fencepost.store.sqlite.locks import ear_fifo
from fencepost.store.types.durable.ended import Asked
from fencepost.stress.sqlite.disk.disk import Disk
from fencepost.stress.sqlite.disk.errors import Kind

from ..processes import PATIENCE_SECONDS, line_of, running, tell
from .inside import ask, traced

_WAITS = """
import sys
from fencepost import connect
store = connect(sys.argv[1])
receipt = store.queue("mail").enqueue(b"x")
store.engine.durable.ends.listen([receipt.message_id])
print("waits", flush=True)
print(receipt.wait(), flush=True)
"""

# What ends a message, and dies at one point of it.
_ENDS = """
import os, signal, sys
from fencepost import connect
path, at = sys.argv[1:]
store = connect(path)
session = store.engine._session

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if at == "before the telling":
    session.on_told = die
(claim,) = store.queue("mail").claim()
with claim.transaction() as tx:
    if at == "before the commit":
        die()
"""


def _ears(address: str) -> list[tuple[object, ...]]:
    return ask(address, "select id from fp_ear")


def _tellings(address: str) -> list[tuple[object, ...]]:
    return ask(address, "select * from fp_told")


def _fifos(address: str) -> list[str]:
    path = Path(address)
    return sorted(each.name for each in path.parent.glob(f"{path.name}-ear-*"))


# AWAIT-1
def test_another_process_is_told_by_the_commit_and_wakes(tmp_path: Path, address: str) -> None:
    with (
        connect(address) as store,
        running(["-c", _WAITS, address], cwd=tmp_path) as waiter,
    ):
        assert line_of(waiter) == "waits"

        (claim,) = store.queue("mail").claim()
        claim.ack("x")

        assert line_of(waiter) == "Ended(state='done', result='x', error=None)"
        assert _tellings(address) == []


# AWAIT-2
def test_who_waits_is_woken_though_the_process_died_before_it_told(
    tmp_path: Path, address: str
) -> None:
    with connect(address) as store:
        receipt = store.queue("mail").enqueue(b"x")
        ended: list[Ended] = []
        waiter = threading.Thread(target=lambda: ended.append(receipt.wait(PATIENCE_SECONDS)))
        waiter.start()
        while not store.engine.durable.ends.waiting.count:
            threading.Event().wait(0.001)
        with running(["-c", _ENDS, address, "before the telling"], cwd=tmp_path) as dying:
            assert dying.wait(PATIENCE_SECONDS) == -signal.SIGKILL

        waiter.join(PATIENCE_SECONDS)

    assert ended == [Ended("done")]


# AWAIT-2
def test_an_end_that_was_not_committed_is_none(tmp_path: Path, address: str) -> None:
    with connect(address) as store:
        receipt = store.queue("mail").enqueue(b"x")
        with running(["-c", _ENDS, address, "before the commit"], cwd=tmp_path) as dying:
            assert dying.wait(PATIENCE_SECONDS) == -signal.SIGKILL

        with pytest.raises(TimeoutError):
            receipt.wait(0.01)


# AWAIT-2
def test_what_a_dead_process_waited_with_is_swept(tmp_path: Path, address: str) -> None:
    with connect(address) as store:
        with running(["-c", _WAITS, address], cwd=tmp_path) as waiter:
            assert line_of(waiter) == "waits"
            assert store.sweep_all()["ears"] == 0
            assert len(_ears(address)) == len(_tellings(address)) == len(_fifos(address)) == 1
            waiter.kill()
            waiter.wait()

        (claim,) = store.queue("mail").claim()
        claim.ack()  # nobody hears it
        store.queue("mail").enqueue(b"y")

        assert store.sweep_all()["ears"] == 1
        assert _ears(address) == _tellings(address) == []
        assert _fifos(address) == []


# AWAIT-2
def test_an_ear_that_cannot_be_looked_at_is_not_swept(address: str) -> None:
    with connect(address) as store:
        receipt = store.queue("mail").enqueue(b"x")
        store.engine.durable.ends.listen([receipt.message_id])
        ((ear,),) = store.read("select id from fp_ear")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(map(int, os.listdir("/proc/self/fd")))
        fillers = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
            with contextlib.suppress(OSError):
                while True:
                    fillers.append(os.dup(0))
            heard = ear_fifo.is_heard(address, ear)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for fd in fillers:
                os.close(fd)
        assert fillers
        assert heard
        assert store.sweep_all()["ears"] == 0


# AWAIT-2
def test_a_store_that_is_closed_leaves_no_fifo(address: str) -> None:
    with connect(address) as store:
        store.engine.durable.ends.listen([store.queue("mail").enqueue(b"x").message_id])
        assert len(_fifos(address)) == 1

    assert _fifos(address) == []


# AWAIT-2
def test_a_full_ear_costs_nothing_but_the_next_look(address: str, tmp_path: Path) -> None:
    with connect(address) as store:
        ends = store.engine.durable.ends
        receipt = store.queue("mail").enqueue(b"x")
        ends.listen([receipt.message_id])
        ((ear,),) = _ears(address)
        assert isinstance(ear, int)
        for _ in range(20):  # 64 KiB are 8,192 ids
            assert ear_fifo.tell(address, ear, range(10**6, 10**6 + 1000))
        (claim,) = store.queue("mail").claim()

        claim.ack()

        assert receipt.wait(PATIENCE_SECONDS) == Ended("done")


# AWAIT-2
def test_what_is_no_number_of_bytes_of_a_message_is_heard_as_noise(address: str) -> None:
    with connect(address) as store:
        ends = store.engine.durable.ends
        receipt = store.queue("mail").enqueue(b"x")
        ends.listen([receipt.message_id])
        fifo = os.open(_fifo(address), os.O_WRONLY | os.O_NONBLOCK)
        os.write(fifo, b"abc")
        os.close(fifo)

        assert set(ends.hear(PATIENCE_SECONDS)) == set()

        (claim,) = store.queue("mail").claim()
        claim.ack()
        assert set(ends.hear(PATIENCE_SECONDS)) == {receipt.message_id}


def _fifo(address: str) -> str:
    (name,) = _fifos(address)
    return str(Path(address).parent / name)


# AWAIT-2
def test_a_thousand_messages_that_end_together_are_told_in_one_statement_more(
    store: Store, queue: Queue, address: str
) -> None:
    def end(waited_for: int) -> tuple[int, list[int]]:
        receipts = queue.enqueue_many([{"body": b"x"}] * 1000)
        messages = [receipt.message_id for receipt in receipts][:waited_for]
        store.engine.durable.ends.listen(messages)
        claims = queue.claim(limit=1000)
        with traced(store) as statements:
            assert queue.ack_many(claims) == []
        return len(statements), messages

    alone, _ = end(0)
    with_waiters, messages = end(1000)

    assert with_waiters == alone + 1
    ends = store.engine.durable.ends
    heard: set[int] = set()
    while heard < set(messages):
        heard |= set(ends.hear(PATIENCE_SECONDS))
    assert ends.look([Asked(each) for each in messages]) == [Ended("done")] * 1000


# AWAIT-2
def test_a_forked_child_leaves_its_parents_ear_alone(tmp_path: Path, address: str) -> None:
    code = """
import os, sys
from fencepost import FencepostError, connect
store = connect(sys.argv[1])
receipt = store.queue("mail").enqueue(b"x")
try:
    receipt.wait(0.01)
except TimeoutError:
    pass
child = os.fork()
if child == 0:
    try:
        receipt.wait(1)
    except FencepostError as error:
        print(error.code, flush=True)
    store.close()
    os._exit(0)
os.waitpid(child, 0)
print(*[name for name in os.listdir(".") if "-ear-" in name], flush=True)
sys.stdin.readline()
(claim,) = store.queue("mail").claim()
claim.ack()
print(receipt.wait(60), flush=True)
"""
    with running(["-c", code, address], cwd=tmp_path) as process:
        assert line_of(process) == "forked_store"
        assert line_of(process) == "store.db-ear-1"
        tell(process, "go on")
        assert line_of(process) == "Ended(state='done', result=None, error=None)"


# AWAIT-2
@pytest.mark.parametrize("verb", ["listen", "ack"])
@pytest.mark.parametrize("action", ["sync", "write"])
def test_an_end_is_found_whatever_became_of_a_commit(
    disk: Disk, address: str, verb: str, action: Kind
) -> None:
    with connect(address) as store, connect(address) as elsewhere:
        receipt = store.queue("mail").enqueue(b"x")
        (claim,) = elsewhere.queue("mail").claim()
        ends = store.engine.durable.ends
        ends.listen([])  # the ear is there
        calls = {"listen": lambda: ends.listen([receipt.message_id]), "ack": claim.ack}
        if verb == "ack":
            calls["listen"]()
        disk.inject(action, 1, "EIO", of="-wal")
        with pytest.raises(OutcomeUnknown):
            calls[verb]()

        claim.ack()

        assert receipt.wait(PATIENCE_SECONDS) == Ended("done")
        assert store.queue("mail").stats().done == 1


# AWAIT-2
def test_an_ear_whose_commit_failed_is_made_anew(disk: Disk, address: str) -> None:
    with connect(address) as store:
        receipt = store.queue("mail").enqueue(b"x")
        disk.inject("write", 1, "EIO", of="-wal")
        with pytest.raises(OutcomeUnknown):
            store.engine.durable.ends.listen([receipt.message_id])
        assert _fifos(address) == []

        store.engine.durable.ends.listen([receipt.message_id])

        (claim,) = store.queue("mail").claim()
        claim.ack()
        assert set(store.engine.durable.ends.hear(PATIENCE_SECONDS)) == {receipt.message_id}
        assert len(_fifos(address)) == 1
