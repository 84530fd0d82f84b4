"""What a write transaction of the store adds to SQLite's own begin and commit.

    .venv/bin/python bench/transaction.py

Microseconds of this thread's CPU time, the kernel's for it included: the least of the rounds, in
which bare APSW and the store take turns, in databases of their own with one table and one row.
The store's transaction makes sure, besides, that nobody else writes, that the files are the ones
that were opened, that this process has its locks, and that there is room.

The last line is why it asks for the identity and the size of the WAL alone: what writing and
syncing nine pages takes when that was asked before, and when the file's times were asked as well.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw

from fencepost.store.clock import SystemClock
from fencepost.store.sqlite.file.status import look
from fencepost.store.sqlite.session.session import Session

ROUNDS = 15
TIMES = {"normal": 500, "full": 50}
_SYNCHRONOUS = {"normal": 1, "full": 2}

_MAKE = "create table bench_row (one integer primary key, n integer); insert into bench_row values (1, 1)"
_UPDATE = "update bench_row set n = ?1"

_PAGES, _SYNCS = 9, 400

# An update that changes nothing writes no page.
_numbers = itertools.count(2)


def main() -> None:
    """Print a line for each durability and each transaction."""
    for durability, times in TIMES.items():
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), durability, times)
        for name, (bare, ours) in found.items():
            print(
                f"{durability:6} {name:14} {bare:6.1f} bare {ours:6.1f} us, {ours - bare:5.1f} more"
            )
    with tempfile.TemporaryDirectory() as folder:
        without, with_times = syncs(Path(folder) / "file")
    print(
        f"write and sync {_PAGES} pages: {without:.0f} us, and {with_times:.0f} us of a file with times"
    )


def measure(folder: Path, durability: str, times: int) -> dict[str, tuple[float, float]]:
    """Return the microseconds of bare APSW and of the store, for each transaction."""
    clock = SystemClock()
    path = str(folder / "store.db")
    with (
        closing(apsw.Connection(str(folder / "bare.db"))) as bare,
        closing(Session(path, clock=clock, busy_seconds=5.0, durability=durability)) as session,
    ):
        bare.pragma("journal_mode", "wal")
        bare.pragma("synchronous", _SYNCHRONOUS[durability])
        bare.execute(_MAKE)
        with session.write("bench") as write:
            for statement in _MAKE.split(";"):
                write.run(statement)
        calls = _bare(bare) | _ours(session)
        took = {name: [_took(call, times)] for name, call in calls.items()}
        for _ in range(ROUNDS - 1):
            for name, call in calls.items():
                took[name].append(_took(call, times))
    least = {name: min(each) for name, each in took.items()}
    return {
        name: (least[f"bare {name}"], least[f"ours {name}"])
        for name in ("empty", "one row updated")
    }


def syncs(path: Path) -> tuple[float, float]:
    """Return the microseconds of a sync after a look at the file, and after one at its times too."""
    page, name = os.urandom(4096), os.fsencode(path)
    calls: list[Callable[[bytes], object]] = [look, os.lstat]
    took: list[list[int]] = [[], []]
    path.write_bytes(page * _PAGES)
    with path.open("r+b", buffering=0) as file:
        os.fsync(file)
        for _ in range(_SYNCS):
            for call, found in zip(calls, took, strict=True):
                call(name)
                began = time.perf_counter_ns()
                for place in range(_PAGES):
                    os.pwrite(file.fileno(), page, place * len(page))
                os.fdatasync(file)
                found.append(time.perf_counter_ns() - began)
    return statistics.median(took[0]) / 1000, statistics.median(took[1]) / 1000


def _bare(connection: apsw.Connection) -> dict[str, Callable[[], object]]:
    run = connection.execute

    def empty() -> None:
        run("begin immediate")
        run("commit")

    def update() -> None:
        run("begin immediate")
        run(_UPDATE, (next(_numbers),)).fetchall()
        run("commit")

    return {"bare empty": empty, "bare one row updated": update}


def _ours(session: Session) -> dict[str, Callable[[], object]]:
    def empty() -> None:
        with session.write("bench"):
            pass

    def update() -> None:
        with session.write("bench") as write:
            write.run(_UPDATE, (next(_numbers),))

    return {"ours empty": empty, "ours one row updated": update}


def _took(call: Callable[[], object], times: int) -> float:
    began = time.thread_time_ns()
    for _ in range(times):
        call()
    return (time.thread_time_ns() - began) / times / 1000


if __name__ == "__main__":
    main()
