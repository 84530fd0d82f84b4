"""How one store does with more processes: enqueuers, and workers of a pool, 1 to 32 of each.

    .venv/bin/python bench/processes.py                        # 1, 2, 4 and 8: a minute
    .venv/bin/python bench/processes.py --processes 1 2 4 8 16 32 --rounds 5

Enqueuers store one message a transaction, each in a process of its own. Workers run a handler
that does nothing, from enqueue to done. Rates are compared with that of one process in the same
round. Share is the least number of messages of a process over the greatest.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import multiprocess

from fencepost import connect
from fencepost.speed.end_to_end import through
from fencepost.speed.measurement import BODY, Spread
from fencepost.speed.pool import Pool
from fencepost.stress.machine.trials import machine

_WARM_UP = 500
_barrier: Any


def main() -> None:
    """Print a line for each number of processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--folder", help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    kinds = {"enqueue": enqueuers, "end to end": workers}
    seen: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        where = machine(Path(folder))
        for number in range(told.rounds):
            print(f"round {number + 1} of {told.rounds}", file=sys.stderr)
            for kind, measure in kinds.items():
                for count in told.processes:
                    place = Path(folder, f"{number}-{kind}-{count}")
                    seen[kind, count].append(measure(place, count, told.seconds))
    rows = []
    for (kind, count), rounds in seen.items():
        alone = [rate for rate, _ in seen[kind, told.processes[0]]]
        rates = [rate for rate, _ in rounds]
        ratios = [rate / one for rate, one in zip(rates, alone, strict=True)]
        figures = {"per_second": rates, "of_one": ratios, "share": [each for _, each in rounds]}
        spreads = {name: msgspec.to_builtins(Spread.of(each)) for name, each in figures.items()}
        rows.append({"kind": kind, "processes": count, **spreads})
    _print(rows, where, as_json=told.json)


def _print(rows: list[dict[str, Any]], where: object, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"machine": msgspec.to_builtins(where), "rows": rows}, indent=2))
        return
    for row in rows:
        print(
            f"{row['kind']:10} {row['processes']:2} processes: {row['of_one']['median']:.2f} x one,"
            f" share {row['share']['median']:.2f}, {row['per_second']['median']:,.0f}/s"
        )


def enqueuers(folder: Path, count: int, seconds: float) -> tuple[float, float]:
    """Return the messages a second of all enqueuers, and their share."""
    folder.mkdir()
    path = str(folder / "bench.db")
    connect(path).close()
    spawn = multiprocess.get_context("spawn")
    with spawn.Pool(count, _meet_at, (spawn.Barrier(count),)) as pool:
        counts = pool.starmap(enqueue, [(path, seconds)] * count, chunksize=1)
    return sum(counts) / seconds, min(counts) / max(counts)


def _meet_at(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def enqueue(path: str, seconds: float) -> int:
    """Enqueue one by one, once all enqueuers are there; return how many were stored."""
    with connect(path) as store:
        queue = store.queue("bench")
        prefix, number = f"{os.getpid()}-{secrets.token_hex(4)}", 0
        _barrier.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            queue.enqueue(BODY, key=f"{prefix}-{number}")
            number += 1
    return number


def workers(folder: Path, count: int, seconds: float) -> tuple[float, float]:
    """Return the messages a second through a pool, and the share of its workers."""
    with Pool(folder, "empty", workers=count) as pool:
        rate = through(pool, _WARM_UP)
        before = pool.handled()
        rate = through(pool, max(_WARM_UP, int(rate * seconds)))
        each = [handled - before.get(worker, 0) for worker, handled in pool.handled().items()]
    return rate, min(each) / max(each)


if __name__ == "__main__":
    main()
