"""Why writers stand in a queue of our own: 8 of them on one file, with and without the gate.

    .venv/bin/python bench/gate.py

Each writer inserts one row a transaction, synchronous=FULL, for a few seconds. Share is
the least number of commits of a writer over the greatest.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time

import apsw
import multiprocess

from fencepost.store.sqlite.locks.gate import Gate

SECONDS = 4.0
WRITERS = (1, 8, 16)
BUSY_MS = 10_000


def main() -> None:
    """Print a line for each number of writers and each way to wait."""
    context = multiprocess.get_context("spawn")
    single: dict[bool, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for writers, gated in itertools.product(WRITERS, (False, True)):
            path = os.path.join(folder, f"{writers}-{gated}.db")
            connection = _connect(path)
            connection.execute("create table t (body blob)")
            connection.close()
            with context.Pool(writers) as pool:
                runs = pool.starmap(write, [(path, gated, time.time() + 2)] * writers)
            total = sum(count for count, _ in runs) / SECONDS
            waits = sorted(wait for _, waits in runs for wait in waits)
            single.setdefault(gated, total)
            print(
                f"{writers:2} writers, {'the gate' if gated else 'busy_timeout':12}:"
                f" {total / single[gated]:.2f} x one writer,"
                f" share {min(c for c, _ in runs) / max(c for c, _ in runs):.2f},"
                f" wait p99.9 {waits[int(len(waits) * 0.999)]:.0f} ms, max {waits[-1]:.0f} ms"
            )


def write(path: str, gated: bool, start: float) -> tuple[int, list[float]]:
    """Write until time is up; return the commits and the wait in ms before each."""
    connection, gate, waits = _connect(path), Gate(path + "-gate"), []
    time.sleep(max(0.0, start - time.time()))
    end = time.monotonic() + SECONDS
    while (asked := time.monotonic()) < end:
        if gated:
            gate.enter(asked + BUSY_MS / 1000)
        connection.execute("begin immediate")
        waits.append((time.monotonic() - asked) * 1000)
        connection.execute("insert into t values (zeroblob(1024))")
        connection.execute("commit")
        if gated:
            gate.leave()
    return len(waits), waits


def _connect(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 2)
    connection.wal_autocheckpoint(0)
    return connection


if __name__ == "__main__":
    main()
