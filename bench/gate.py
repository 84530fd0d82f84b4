"""Why writers stand in a queue of our own: many of them on one file, with and without the gate.

    .venv/bin/python bench/gate.py
    .venv/bin/python bench/gate.py --writers 1 2 4 8 16 32 --rounds 5

Each writer is a process that inserts one row a transaction, synchronous=FULL, for a few seconds.
The rate is compared with that of one writer in the same round. Share is the least number of
commits of a writer over the greatest.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import apsw
import msgspec
import multiprocess

from fencepost.speed.measurement import Spread
from fencepost.store.sqlite.locks.gate import Gate
from fencepost.stress.machine.trials import machine

BUSY_MS = 10_000
_barrier: Any


def main() -> None:
    """Print a line for each number of writers and each way to wait."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--folder", help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    seen: dict[tuple[int, bool], list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        where = machine(Path(folder))
        for number in range(told.rounds):
            print(f"round {number + 1} of {told.rounds}", file=sys.stderr)
            for writers, gated in itertools.product(told.writers, (False, True)):
                path = os.path.join(folder, f"{number}-{writers}-{gated}.db")
                seen[writers, gated].append(measure(path, writers, gated, told.seconds))
    rows = [_row(seen, told.writers[0], *key) for key in seen]
    if told.json:
        print(json.dumps({"machine": msgspec.to_builtins(where), "rows": rows}, indent=2))
        return
    for row in rows:
        print(
            f"{row['writers']:2} writers, {'the gate' if row['gated'] else 'busy_timeout':12}:"
            f" {row['of_one']['median']:.2f} x one writer, share {row['share']['median']:.2f},"
            f" wait p99.9 {row['wait_p999_ms']['median']:.0f} ms,"
            f" max {row['wait_max_ms']['greatest']:.0f} ms"
        )


def _row(
    seen: dict[tuple[int, bool], list[dict[str, float]]], first: int, writers: int, gated: bool
) -> dict[str, Any]:
    rounds = seen[writers, gated]
    alone = [each["per_second"] for each in seen[first, gated]]
    figures = {name: [each[name] for each in rounds] for name in rounds[0]}
    figures["of_one"] = [each / one for each, one in zip(figures["per_second"], alone, strict=True)]
    spreads = {name: msgspec.to_builtins(Spread.of(each)) for name, each in figures.items()}
    return {"writers": writers, "gated": gated, **spreads}


def measure(path: str, writers: int, gated: bool, seconds: float) -> dict[str, float]:
    """Return the commits a second of all writers, their share, and their waits."""
    connection = _connect(path)
    connection.execute("create table t (body blob)")
    connection.close()
    spawn = multiprocess.get_context("spawn")
    with spawn.Pool(writers, _meet_at, (spawn.Barrier(writers),)) as pool:
        runs = pool.starmap(write, [(path, gated, seconds)] * writers, chunksize=1)
    counts = [len(waits) for waits in runs]
    waits = sorted(itertools.chain.from_iterable(runs))
    return {
        "per_second": sum(counts) / seconds,
        "share": min(counts) / max(counts),
        "wait_p999_ms": waits[int(len(waits) * 0.999)],
        "wait_max_ms": waits[-1],
    }


def _meet_at(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def write(path: str, gated: bool, seconds: float) -> list[float]:
    """Write, once all writers are there; return the wait in ms before each commit."""
    connection, gate, waits = _connect(path), Gate(path + "-gate"), []
    _barrier.wait()
    end = time.monotonic() + seconds
    while (asked := time.monotonic()) < end:
        if gated:
            gate.enter(asked + BUSY_MS / 1000)
        connection.execute("begin immediate")
        waits.append((time.monotonic() - asked) * 1000)
        connection.execute("insert into t values (zeroblob(1024))")
        connection.execute("commit")
        if gated:
            gate.leave()
    return waits


def _connect(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 2)
    connection.wal_autocheckpoint(0)
    return connection


if __name__ == "__main__":
    main()
