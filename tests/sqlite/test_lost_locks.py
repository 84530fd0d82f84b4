"""A process that opens the database's files by itself, and so loses its locks on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from fencepost import Store, StoreBusy, StoreFailed, connect

from ..processes import line_of, running, tell
from . import unseen
from .inside import ask, connection

_UNSEEN = f"import sys; sys.path.append({str(Path(__file__).parents[2])!r})\nfrom tests.sqlite import unseen\n"

_STRAY = (
    _UNSEEN
    + """
from fencepost import FencepostError, connect
path = sys.argv[1]

def stray():
    for suffix in ("", "-wal", "-shm"):
        unseen.touch(path + suffix)
    print("strayed", flush=True)
    sys.stdin.readline()

store = connect(path)
queue = store.queue("mail")
"""
)

_WITHIN = """
try:
    with store.transaction():
        queue.enqueue(b"", key="mine")
        stray()
except FencepostError as error:
    print(error.code, flush=True)
print(queue.enqueue(b"", key="mine").status, flush=True)
sys.stdin.readline()
"""

_BETWEEN = """
queue.enqueue(b"", key="mine")
stray()
print(queue.enqueue(b"", key="mine").status, queue.enqueue(b"", key="again").status, flush=True)
print(len(queue.claim(limit=10)), store.stats()["mail"].leased, flush=True)
sys.stdin.readline()
"""

_DURING = """
import os
try:
    with store.transaction():
        queue.enqueue(b"", key="lost")
        for suffix in ("-wal", "-shm"):
            os.rename(path + suffix, path + ".gone" + suffix)
except FencepostError as error:
    print(error.code, flush=True)
sys.stdin.readline()
"""


def _keys(path: Path) -> list[object]:
    return [key for (key,) in ask(path, "select key from fp_message order by id")]


# FOREIGN-5
@pytest.mark.parametrize("takes_the_wal", [False, True])
def test_a_transaction_whose_locks_were_lost_is_not_committed(
    tmp_path: Path, takes_the_wal: bool
) -> None:
    path = tmp_path / "store.db"
    other = connect(path)
    with running(["-c", _STRAY + _WITHIN, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "strayed"
        other.close()
        if takes_the_wal:
            _close_as_the_last(path)
        tell(process, "go on")
        assert [line_of(process) for _ in range(2)] == ["store_failed", "accepted"]

        with connect(path) as store:
            assert store.queue("mail").enqueue(b"", key="more").status == "accepted"
        tell(process, "end")
        assert process.wait(60) == 0

    assert _keys(path) == ["mine", "more"]
    assert ask(path, "pragma integrity_check") == [("ok",)]


# FOREIGN-6
@pytest.mark.parametrize("takes_the_wal", [False, True])
def test_locks_lost_between_two_transactions_are_taken_anew(
    tmp_path: Path, takes_the_wal: bool
) -> None:
    path = tmp_path / "store.db"
    other = connect(path)
    with running(["-c", _STRAY + _BETWEEN, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "strayed"
        other.close()
        if takes_the_wal:
            _close_as_the_last(path)
        with connect(path) as store:
            assert store.queue("mail").enqueue(b"", key="more").status == "accepted"
            tell(process, "go on")

            assert [line_of(process) for _ in range(2)] == ["duplicate accepted", "3 3"]
            tell(process, "end")
            assert process.wait(60) == 0

    assert _keys(path) == ["mine", "more", "again"]
    assert ask(path, "pragma integrity_check") == [("ok",)]


def _close_as_the_last(path: Path) -> None:
    """Take the WAL away, as SQLite does that takes itself for the last."""
    ask(path, "pragma wal_checkpoint", flags=apsw.SQLITE_OPEN_READWRITE)
    assert not Path(f"{path}-wal").exists()


def _own_close(store: Store, path: str) -> None:
    other = apsw.Connection(path)
    other.execute("select count(*) from fp_store").fetchall()
    other.close()


def _another_store(store: Store, path: str) -> None:
    with connect(path) as other:
        other.queue("mail").enqueue(b"")


def _reads(store: Store, path: str) -> None:
    for _ in range(3):
        store.read("select 1")


def _checkpoints(store: Store, path: str) -> None:
    store.probe()


def _backs_up(store: Store, path: str) -> None:
    store.backup(path + ".copy")


# FOREIGN-7
@pytest.mark.parametrize("harmless", [_own_close, _another_store, _reads, _checkpoints, _backs_up])
def test_what_goes_by_our_own_library_loses_no_lock(
    store: Store, address: str, harmless: Callable[[Store, str], None]
) -> None:
    before = connection(store)

    harmless(store, address)
    if harmless is _own_close:
        with store.transaction():
            harmless(store, address)

    store.queue("mail").enqueue(b"")
    assert connection(store) is before


# FOREIGN-6
def test_all_stores_of_the_process_take_their_locks_anew(address: str) -> None:
    with connect(address) as one, connect(address) as other:
        one.read("select 1")
        unseen.touch(address)

        for number, store in enumerate((one, other, one)):
            assert store.queue("mail").enqueue(b"", key=str(number)).status == "accepted"
            assert store.read("select count(*) from fp_message") == [(number + 1,)]


# FOREIGN-6
def test_a_store_waits_for_the_transaction_of_another_before_it_takes_locks_anew(
    address: str,
) -> None:
    with connect(address) as one, connect(address, busy_timeout=0.1) as other:
        with pytest.raises(StoreFailed, match="lost its locks"), one.transaction():
            one.queue("mail").enqueue(b"", key="lost")
            unseen.touch(address + "-shm")
            with pytest.raises(StoreBusy):
                other.stats()

        assert other.queue("mail").enqueue(b"", key="k").status == "accepted"
        assert one.read("select key from fp_message") == [("k",)]


# FOREIGN-8
def test_a_library_that_writes_within_a_transaction_is_found_out(
    store: Store, address: str
) -> None:
    with unseen.database(address) as run:
        with pytest.raises(StoreFailed, match="another SQLite library"), store.transaction():
            store.queue("mail").enqueue(b"", key="mine")
            assert run("begin immediate; create table theirs (x); commit") == 0

        assert store.queue("mail").enqueue(b"", key="mine").status == "accepted"

    assert store.read("select count(*) from theirs") == [(0,)]
    assert store.read("pragma integrity_check") == [("ok",)]


# FOREIGN-8
def test_a_library_that_has_the_write_lock_is_waited_for(address: str) -> None:
    with connect(address, busy_timeout=0.1) as store, unseen.database(address) as run:
        assert run("begin immediate") == 0

        with pytest.raises(StoreBusy):
            store.queue("mail").enqueue(b"", key="k")
        assert run("create table theirs (x); commit") == 0

        assert store.queue("mail").enqueue(b"", key="k").status == "accepted"


_LIBRARY = """
from fencepost import StoreFailed, connect
path = sys.argv[1]
store = connect(path)
queue = store.queue("mail")
done = 0
for number in range(60):
    try:
        with store.transaction() as tx:
            queue.enqueue(b"", key=f"{sys.argv[2]}-{number}")
            if number % 3 == 1:
                unseen.query(path, "select count(*) from fp_message")
        done += 1
    except StoreFailed:
        pass
    if number % 3 == 2:
        unseen.query(path, "select count(*) from fp_delivery")
print(done, flush=True)
"""


# FOREIGN-5
def test_processes_that_lose_their_locks_all_the_time_damage_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connect(path).close()
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                running(["-c", _UNSEEN + _LIBRARY, str(path), str(n)], cwd=tmp_path)
            )
            for n in range(3)
        ]
        done = [int(line_of(process)) for process in processes]

    assert done == [40] * 3
    assert ask(path, "select count(*) from fp_message") == [(120,)]
    assert ask(path, "pragma integrity_check") == [("ok",)]


def test_a_commit_to_a_wal_that_is_gone_is_not_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with running(["-c", _STRAY + _DURING, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "outcome_unknown"
        tell(process, "end")
        assert process.wait(60) == 0
